import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionTable } from '../../src/domain/regions.js';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BACKEND, BREAKER_STATE, HEALTH_CONTROL } from '../../src/domain/shared/layout.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { backend, newRegion } from '../support/routing-rig.js';

function rig(): { readonly region: ControlRegion; readonly states: BackendStates } {
  const { region } = newRegion();
  return { region, states: new BackendStates(region) };
}

/** As a worker does it. */
function open(region: ControlRegion, slot: number): void {
  region.words[region.backendAt(slot) + BACKEND.BREAKER] = BREAKER_STATE.OPEN;
  const ejectedAt = region.offsets.healthControl + HEALTH_CONTROL.EJECTED;
  region.words[ejectedAt] = (region.words[ejectedAt] ?? 0) + 1;
}

describe('backend states', () => {
  it('has every backend up and available that nobody has said anything of', () => {
    const { states } = rig();
    assert.deepEqual([states.isUp(5), states.isAvailable(5), states.ejected], [true, true, 0]);
  });

  it('tells a change from what is known, and gives each change a generation', () => {
    const { states } = rig();
    const generations = new Set([states.generation]);
    assert.equal(states.setHealth(3, true), false);
    assert.equal(states.generation, [...generations][0]);
    for (const change of [
      () => states.setHealth(3, false),
      () => states.setHealth(3, true),
      () => states.setRamp(3, 50),
    ]) {
      assert.equal(change(), true);
      generations.add(states.generation);
    }
    assert.equal(generations.size, 4);
    assert.equal(states.setRamp(3, 50), false);
  });

  it('keeps the states of backends apart', () => {
    const { states } = rig();
    states.setHealth(3, false);
    assert.deepEqual(
      [2, 3, 4].map((slot) => states.isAvailable(slot)),
      [true, false, true],
    );
  });

  it('makes an open breaker half-open with no trial started, and no other one', () => {
    const { region, states } = rig();
    states.configure({ failureThreshold: 5, successThreshold: 3, trials: 2, panicPercent: 0 });
    assert.equal(states.halfOpen(1), false);
    open(region, 1);
    region.words[region.backendAt(1) + BACKEND.TRIALS] = 9;
    assert.equal(states.halfOpen(1), true);
    assert.deepEqual([states.breaker(1), states.trialsLeft(1)], [BREAKER_STATE.HALF_OPEN, 2]);
    assert.equal(states.isAvailable(1), false);
  });

  it('does not forget the trials of a breaker that is half-open already', () => {
    const { region, states } = rig();
    states.configure({ failureThreshold: 5, successThreshold: 3, trials: 2, panicPercent: 0 });
    open(region, 1);
    states.halfOpen(1);
    region.words[region.backendAt(1) + BACKEND.TRIALS] = 2;
    region.words[region.backendAt(1) + BACKEND.SUCCESSES] = 1;
    const { generation } = states;
    assert.equal(states.halfOpen(1), false);
    assert.deepEqual([states.successes(1), states.trialsLeft(1), states.generation], [1, 1, generation]);
  });

  it('lets as many trials start anew as are undecided, without forgetting those that succeeded', () => {
    const { region, states } = rig();
    states.configure({ failureThreshold: 5, successThreshold: 9, trials: 3, panicPercent: 0 });
    region.words[region.backendAt(1) + BACKEND.TRIALS] = 5;
    region.words[region.backendAt(1) + BACKEND.SUCCESSES] = 2;
    assert.equal(states.trialsLeft(1), 0);
    states.rearm(1);
    assert.equal(states.trialsLeft(1), 3);
    assert.equal(region.words[region.backendAt(1) + BACKEND.SUCCESSES], 2);
  });

  it('closes a breaker once, whatever it was', () => {
    const { region, states } = rig();
    for (const slot of [1, 2]) open(region, slot);
    states.halfOpen(2);
    assert.deepEqual([states.close(1), states.close(1), states.close(2), states.ejected], [true, false, true, 0]);
  });

  it('corrects the count of ejected backends only as long as it is what was seen', () => {
    const { region, states } = rig();
    open(region, 1);
    states.correctEjected(3, 0);
    assert.equal(states.ejected, 1);
    states.correctEjected(1, 0);
    assert.equal(states.ejected, 0);
  });

  it('gives a slot to another backend with nothing of the last one left', () => {
    const { region } = newRegion({ backends: 1 });
    const states = new BackendStates(region);
    const writer = new RoutesWriter(region, new BindingTable(region));
    writer.publish([backend('a')], regionTable(), 'sa');
    open(region, 0);
    states.setHealth(0, false);
    states.setRamp(0, 500);
    writer.publish([], regionTable(), 'sa');
    writer.publish([backend('b')], regionTable(), 'sa');
    assert.equal(writer.slotOf('b'), 0);
    assert.deepEqual([states.isAvailable(0), states.ejected, states.setRamp(0, 0)], [true, 0, false]);
  });
});
