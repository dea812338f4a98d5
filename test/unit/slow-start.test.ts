import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { SlowStart } from '../../src/domain/shared/slow-start.js';
import { openBreaker, succeedTrial } from '../support/breaker-rig.js';
import { backend, newRegion, RoutingRig } from '../support/routing-rig.js';

const DURATION_MS = 10_000;
const SLOTS = 4;

function rigOf(durationMs = DURATION_MS) {
  const { region } = newRegion();
  const states = new BackendStates(region);
  states.setMaxEjected(SLOTS);
  const slowStart = new SlowStart(states, region.capacity.backends);
  slowStart.configure(durationMs);
  const tick = (nowMs: number, ...takers: number[]): void => {
    slowStart.tick(nowMs, SLOTS, (slot) => takers.includes(slot));
  };
  return { region, states, slowStart, tick };
}

describe('slow start', () => {
  it('gives those of the first table everything at once', () => {
    const { states, slowStart, tick } = rigOf();
    tick(0, 0, 1);
    tick(100, 0, 1);
    assert.deepEqual([states.ramp(0), states.ramp(1), slowStart.isWaiting], [0, 0, false]);
  });

  it('lets a new one rise from a twentieth to the whole in even steps', () => {
    const { states, slowStart, tick } = rigOf();
    tick(0, 0);
    const parts: number[] = [];
    for (let nowMs = 500; nowMs < 500 + DURATION_MS; nowMs += 1000) {
      tick(nowMs, 0, 1);
      parts.push(states.ramp(1));
    }
    assert.deepEqual(parts, [50, 145, 240, 335, 430, 525, 620, 715, 810, 905]);
    assert.equal(states.ramp(0), 0);
    tick(500 + DURATION_MS, 0, 1);
    assert.deepEqual([states.ramp(1), slowStart.isWaiting], [0, false]);
  });

  for (const [name, leave, comeBack] of [
    ['health', (s: BackendStates) => s.setHealth(1, false), (s: BackendStates) => s.setHealth(1, true)],
    ['breaker', () => undefined, (s: BackendStates) => s.close(1)],
  ] as const) {
    it(`begins when the ${name} brings a backend back, and not before`, () => {
      const { region, states, tick } = rigOf();
      tick(0, 0, 1);
      leave(states);
      if (name === 'breaker') openBreaker(region, 1);
      tick(1000, 0, 1);
      tick(5000, 0, 1);
      assert.equal(states.ramp(1), 0);
      comeBack(states);
      assert.equal(states.ramp(1), 50, 'before any tick');
      tick(6000, 0, 1);
      assert.equal(states.ramp(1), 50);
    });
  }

  it('sends no herd to a backend that comes back between two ticks', () => {
    const { region, states, tick } = rigOf();
    const rig = new RoutingRig(region, 0, 0);
    rig.publish([backend('b0', { softLimit: 1_000_000 }), backend('b1', { softLimit: 1_000_000 })]);
    states.configure({ failureThreshold: 1, successThreshold: 1, trials: 1, panicPercent: 0 });
    tick(0, 0, 1);
    const shareOfSecond = (): number => {
      let clients = 0;
      for (let client = 0; client < 1000; client++) if (rig.ask(client).slot === 1) clients++;
      return clients;
    };
    states.setHealth(1, false);
    assert.equal(shareOfSecond(), 0);
    states.setHealth(1, true);
    const byHealth = shareOfSecond();
    openBreaker(region, 1);
    assert.equal(shareOfSecond(), 0);
    states.halfOpen(1);
    succeedTrial(region, 1);
    const byBreaker = shareOfSecond();
    for (const clients of [byHealth, byBreaker]) assert.ok(clients > 0 && clients < 150, `${clients} of 1000`);
  });

  it('rises from where it finds a backend that was gone for less than a tick', () => {
    const { states, slowStart, tick } = rigOf();
    tick(0, 0, 1);
    states.setHealth(1, false);
    states.setHealth(1, true);
    tick(1000, 0, 1);
    assert.deepEqual([states.ramp(1), slowStart.isWaiting], [50, true]);
    tick(6000, 0, 1);
    assert.equal(states.ramp(1), 525);
    states.setHealth(1, false);
    states.setHealth(1, true);
    tick(7000, 0, 1);
    assert.equal(states.ramp(1), 50, 'it has come back once more');
    tick(17_000, 0, 1);
    assert.deepEqual([states.ramp(1), slowStart.isWaiting], [0, false]);
  });

  it('begins anew for one that leaves and comes back while it rises', () => {
    const { states, tick } = rigOf();
    tick(0, 0);
    tick(1000, 0, 1);
    tick(6000, 0, 1);
    tick(7000, 0);
    assert.equal(states.ramp(1), 0);
    tick(8000, 0, 1);
    assert.equal(states.ramp(1), 50);
  });

  it('does nothing switched off, and ends for all when it is', () => {
    const off = rigOf(0);
    off.tick(0, 0);
    off.tick(1000, 0, 1);
    assert.equal(off.states.ramp(1), 0);
    const { states, slowStart, tick } = rigOf();
    tick(0, 0);
    tick(1000, 0, 1);
    slowStart.configure(0);
    tick(1100, 0, 1);
    assert.deepEqual([states.ramp(1), slowStart.isWaiting], [0, false]);
  });
});
