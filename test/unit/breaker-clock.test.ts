import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { BreakerClock, type BreakerChange } from '../../src/domain/shared/breaker-clock.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BACKEND, BREAKER_STATE, HEALTH_CONTROL } from '../../src/domain/shared/layout.js';
import { failBackend, openBreaker, succeedTrial } from '../support/breaker-rig.js';
import { newRegion } from '../support/routing-rig.js';

const TIMEOUT_MS = 1000;
const TRIALS = 3;

interface Rig {
  readonly region: ControlRegion;
  readonly states: BackendStates;
  readonly clock: BreakerClock;
  /** What the clock told, in order, and forgot since the last look. */
  readonly told: () => [number, BreakerChange][];
  readonly tick: (nowMs: number, published?: readonly number[]) => void;
  /** As route() does it. */
  readonly startTrials: (slot: number, count: number) => void;
}

function rigOf(maxEjected = 8): Rig {
  const { region } = newRegion();
  const states = new BackendStates(region);
  const changes: [number, BreakerChange][] = [];
  const clock = new BreakerClock(states, region.capacity.backends, (slot, change) => changes.push([slot, change]));
  clock.configure(true, TIMEOUT_MS);
  states.configure({ failureThreshold: 2, successThreshold: 2, trials: TRIALS, panicPercent: 0 });
  states.setMaxEjected(maxEjected);
  return {
    region,
    states,
    clock,
    told: () => changes.splice(0),
    tick: (nowMs, published) => clock.tick(nowMs, 8, (slot) => published?.includes(slot) ?? true),
    startTrials: (slot, count) => Atomics.add(region.words, region.backendAt(slot) + BACKEND.TRIALS, count),
  };
}

/** With a breaker that is half-open since 1000 ms. */
function halfOpenRig(): Rig {
  const rig = rigOf();
  openBreaker(rig.region, 1);
  rig.tick(0);
  rig.tick(TIMEOUT_MS);
  rig.told();
  return rig;
}

describe('breaker clock', () => {
  it('makes an open breaker half-open when its time is over, not before', () => {
    const { region, states, tick, told } = rigOf();
    openBreaker(region, 3);
    tick(500);
    tick(500 + TIMEOUT_MS - 1);
    assert.equal(states.breaker(3), BREAKER_STATE.OPEN);
    tick(500 + TIMEOUT_MS);
    assert.equal(states.breaker(3), BREAKER_STATE.HALF_OPEN);
    assert.deepEqual(told(), [
      [3, 'opened'],
      [3, 'half_open'],
    ]);
  });

  it('waits anew after a failed trial, and tells of the end', () => {
    const { region, states, tick, told } = halfOpenRig();
    failBackend(region, 1, true);
    tick(1500);
    tick(2499);
    assert.equal(states.breaker(1), BREAKER_STATE.OPEN);
    tick(2500);
    for (let success = 0; success < 2; success++) succeedTrial(region, 1);
    tick(2600);
    assert.deepEqual(told(), [
      [1, 'opened_again'],
      [1, 'half_open'],
      [1, 'closed'],
    ]);
    assert.equal(states.ejected, 0);
  });

  it('gives up on trials without an outcome once all are started, as late as after the timeout', () => {
    const { states, tick, told, startTrials } = halfOpenRig();
    startTrials(1, TRIALS - 1);
    tick(9000);
    assert.deepEqual(told(), [], 'one can still start');
    startTrials(1, 1);
    tick(9001);
    tick(9999);
    assert.equal(states.trialsLeft(1), 0);
    tick(9000 + TIMEOUT_MS);
    assert.equal(states.trialsLeft(1), TRIALS);
    assert.deepEqual(told(), [[1, 'rearmed']]);
  });

  it('does not give up while trials succeed one after the other', () => {
    const { region, states, tick, told, startTrials } = halfOpenRig();
    states.configure({ failureThreshold: 2, successThreshold: 99, trials: TRIALS, panicPercent: 0 });
    startTrials(1, TRIALS);
    for (let nowMs = 1000; nowMs < 9000; nowMs += 500) {
      succeedTrial(region, 1);
      startTrials(1, 1);
      tick(nowMs);
    }
    assert.deepEqual(told(), []);
  });

  it('raises the generation for a change that a dead worker did not tell of', () => {
    const { region, states, tick } = rigOf();
    tick(0);
    openBreaker(region, 2);
    const { generation } = states;
    tick(10);
    assert.notEqual(states.generation, generation);
  });

  it('corrects a count that stays wrong, up and down, and not one that is about to be right', () => {
    for (const wrong of [7, 0]) {
      const { region, states, tick } = rigOf();
      openBreaker(region, 2);
      Atomics.store(region.words, region.offsets.healthControl + HEALTH_CONTROL.EJECTED, wrong);
      for (let turn = 0; turn < 9; turn++) tick(turn);
      assert.equal(states.ejected, wrong);
      tick(9);
      assert.equal(states.ejected, 1);
    }
  });

  it('waits as long as a breaker is not closed or the count says so', () => {
    const { region, states, clock, tick } = rigOf();
    tick(0);
    assert.equal(clock.isWaiting, false);
    openBreaker(region, 2);
    assert.equal(clock.isWaiting, true);
    tick(1);
    states.close(2);
    tick(2);
    assert.equal(clock.isWaiting, false);
  });

  it('closes those that were open longest when fewer may be', () => {
    const { region, states, tick, told } = rigOf();
    for (const slot of [5, 2, 7]) {
      openBreaker(region, slot);
      tick(slot === 5 ? 0 : slot === 2 ? 100 : 200);
    }
    told();
    states.setMaxEjected(1);
    tick(300);
    assert.deepEqual(told(), [
      [5, 'surplus'],
      [2, 'surplus'],
    ]);
    assert.deepEqual([states.ejected, states.breaker(7)], [1, BREAKER_STATE.OPEN]);
  });

  it('closes the breaker of a backend that is no longer published', () => {
    const { region, states, tick } = rigOf();
    for (const slot of [1, 2]) openBreaker(region, slot);
    tick(0);
    tick(1, [2]);
    assert.deepEqual([states.breaker(1), states.breaker(2)], [BREAKER_STATE.CLOSED, BREAKER_STATE.OPEN]);
    assert.equal(states.ejected, 1);
  });

  it('closes all of them when it is switched off', () => {
    const { region, states, clock, tick, told } = halfOpenRig();
    openBreaker(region, 2);
    clock.configure(false, TIMEOUT_MS);
    tick(1100);
    assert.equal(states.ejected, 0);
    assert.deepEqual(
      told().filter(([, change]) => change === 'switched_off'),
      [
        [1, 'switched_off'],
        [2, 'switched_off'],
      ],
    );
  });
});
