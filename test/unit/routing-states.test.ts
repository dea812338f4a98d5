import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countryNumber } from '../../src/domain/regions.js';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { BREAKER_STATE, REJECT_REASONS } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { openBreaker, succeedTrial } from '../support/breaker-rig.js';
import { activeOf, backend, newRegion, RoutingRig } from '../support/routing-rig.js';

const NO_BACKEND = -1 - REJECT_REASONS.indexOf('no_backend');
const SETTINGS = { failureThreshold: 5, successThreshold: 2, trials: 2, panicPercent: 0 };

interface Rig {
  readonly rig: RoutingRig;
  readonly states: BackendStates;
}

/** A rig with so many backends, b0 at slot 0 and so on, nobody bound unless a TTL is given. */
function rigOf(backends: number, { panicPercent = 0, ttlSecs = 0, maxEjected = 99 } = {}): Rig {
  const rig = new RoutingRig(newRegion().region, 0, ttlSecs);
  rig.publish(Array.from({ length: backends }, (_, index) => backend(`b${index}`, { softLimit: 1_000_000 })));
  const states = new BackendStates(rig.region);
  states.configure({ ...SETTINGS, panicPercent });
  states.setMaxEjected(maxEjected);
  return { rig, states };
}

function halfOpen({ rig, states }: Rig, slot: number): void {
  openBreaker(rig.region, slot);
  states.halfOpen(slot);
}

/** Slots of so many clients, one after the other. */
function ask(rig: RoutingRig, clients: number): number[] {
  return Array.from({ length: clients }, (_, host) => rig.ask(host).slot);
}

describe('route: health', () => {
  it('sends nobody to a backend that is down, and somebody as soon as it is up', () => {
    const { rig, states } = rigOf(2);
    states.setHealth(0, false);
    assert.deepEqual(new Set(ask(rig, 20)), new Set([1]));
    states.setHealth(0, true);
    assert.ok(ask(rig, 20).includes(0));
  });

  it('turns clients away where all are down and there is no panic threshold', () => {
    const { rig, states } = rigOf(2);
    for (const slot of [0, 1]) states.setHealth(slot, false);
    assert.equal(rig.ask(1).slot, NO_BACKEND);
  });

  it('goes on knowing it when another table is published', () => {
    const { rig, states } = rigOf(2);
    states.setHealth(0, false);
    ask(rig, 1);
    rig.publish([backend('b0'), backend('b1'), backend('b2')]);
    assert.ok(!ask(rig, 20).includes(0));
  });

  it('does not reopen for the next client what one had tried that is down', () => {
    const { rig, states } = rigOf(2);
    states.setHealth(0, false);
    rig.ask(1, { tried: [0] });
    assert.ok(!ask(rig, 20).includes(0));
  });

  it('moves bound clients, and those bound to a backend of weight 0', () => {
    for (const weight of [1, 0]) {
      const { rig, states } = rigOf(2, { ttlSecs: 600 });
      const { slot } = rig.ask(1);
      rig.publish([0, 1].map((index) => backend(`b${index}`, index === slot ? { weight } : {})));
      states.setHealth(slot, false);
      assert.equal(rig.ask(1).slot, 1 - slot);
    }
  });

  it('closes the copy of a backend among those of its country as well', () => {
    const { rig, states } = rigOf(0);
    rig.publish([backend('br', { country: 'BR' }), backend('us', { region: 'us' })]);
    rig.batch.useCountries({ countryOf: () => countryNumber('BR') });
    states.setHealth(0, false);
    assert.equal(rig.ask(1).slot, 1);
  });
});

describe('route: panic', () => {
  it('ignores health and breaker when fewer than that share of the candidates is available', () => {
    const { rig, states } = rigOf(5, { panicPercent: 40 });
    for (const slot of [0, 1, 2]) states.setHealth(slot, false);
    assert.deepEqual(new Set(ask(rig, 60)), new Set([3, 4]), 'two of five are 40 %');
    openBreaker(rig.region, 3);
    assert.deepEqual(new Set(ask(rig, 100)), new Set([0, 1, 2, 3, 4]));
    states.setHealth(0, true);
    assert.deepEqual(new Set(ask(rig, 60)), new Set([0, 4]));
  });

  it('counts only candidates: not those of weight 0, unhealthy or draining in the database', () => {
    const { rig, states } = rigOf(0, { panicPercent: 50 });
    const out = [{ weight: 0 }, { isHealthy: false }, { isDraining: true }, { weight: 0 }];
    rig.publish([backend('a'), backend('b'), ...out.map((changes, index) => backend(`out${index}`, changes))]);
    states.setHealth(0, false);
    assert.deepEqual(new Set(ask(rig, 30)), new Set([1]));
  });

  it('still takes trials of a half-open breaker, and sends on whom no trial is left for', () => {
    const all = rigOf(1, { panicPercent: 50 });
    halfOpen(all, 0);
    const trials = [1, 2, 3, 4].map((host) => [all.rig.ask(host).slot, all.rig.isTrial()]);
    assert.deepEqual(trials, [
      [0, true],
      [0, true],
      [0, false],
      [0, false],
    ]);
  });
});

describe('route: breaker', () => {
  it('sends nobody to an open one, even where no generation tells of it, and gives the place back', () => {
    const { rig, states } = rigOf(2);
    ask(rig, 10);
    const { generation } = states;
    openBreaker(rig.region, 0);
    const held = activeOf(rig.region, 0);
    rig.region.words[rig.region.offsets.healthControl] = generation;
    assert.deepEqual(new Set(ask(rig, 20)), new Set([1]));
    assert.equal(activeOf(rig.region, 0), held);
  });

  it('lets exactly as many trials through at a time as it may, over all workers, the others elsewhere', () => {
    const first = rigOf(2);
    const second = new RoutingRig(first.rig.region, 1, 0);
    halfOpen(first, 0);
    let trials = 0;
    for (let client = 0; client < 50; client++) {
      for (const rig of [first.rig, second]) {
        const { slot } = rig.ask(client);
        assert.equal(rig.isTrial(), slot === 0);
        if (slot === 0) trials++;
      }
    }
    assert.equal(trials, SETTINGS.trials);
  });

  it('lets another trial through for one that has succeeded, and everybody when it is closed', () => {
    const both = rigOf(2);
    const { rig, states } = both;
    halfOpen(both, 0);
    assert.equal(ask(rig, 20).filter((slot) => slot === 0).length, 2);
    succeedTrial(rig.region, 0);
    assert.equal(ask(rig, 20).filter((slot) => slot === 0).length, 1);
    succeedTrial(rig.region, 0);
    assert.equal(states.breaker(0), BREAKER_STATE.CLOSED);
    assert.ok(ask(rig, 30).filter((slot) => slot === 0).length > 5);
    assert.equal(rig.isTrial(), false);
  });

  it('starts over when the primary gives up on the trials under way', () => {
    const both = rigOf(2);
    halfOpen(both, 0);
    ask(both.rig, 20);
    both.states.rearm(0);
    assert.equal(ask(both.rig, 20).filter((slot) => slot === 0).length, SETTINGS.trials);
  });

  it('gives a bound client a trial or another backend', () => {
    const both = rigOf(2, { ttlSecs: 600 });
    const { rig } = both;
    const { slot } = rig.ask(1);
    halfOpen(both, slot);
    const visits = Array.from({ length: 3 }, () => [rig.ask(1).slot, rig.isTrial()]);
    assert.deepEqual(visits, [
      [slot, true],
      [slot, true],
      [1 - slot, false],
    ]);
  });

  it('finds the one that is closed behind any number of half-open ones without trials', () => {
    const many = rigOf(60);
    for (let slot = 0; slot < 59; slot++) halfOpen(many, slot);
    const slots = ask(many.rig, 59 * SETTINGS.trials + 50);
    assert.ok(slots.every((slot) => slot >= 0));
    for (let slot = 0; slot < 59; slot++) assert.equal(slots.filter((each) => each === slot).length, SETTINGS.trials);
  });

  it('turns a client away, with no place held, when nothing but exhausted half-open ones is left', () => {
    const both = rigOf(1);
    halfOpen(both, 0);
    assert.deepEqual(ask(both.rig, 4), [0, 0, NO_BACKEND, NO_BACKEND]);
    assert.equal(activeOf(both.rig.region, 0), 2);
  });
});

describe('route: slow start', () => {
  it('shares equal scores by the part of the weight, also of weight 1', () => {
    const { rig, states } = rigOf(2);
    states.setRamp(0, 100);
    const places = new Reservations(rig.region, 0);
    let first = 0;
    for (let client = 0; client < 4000; client++) {
      const { slot } = rig.ask(client);
      if (slot === 0) first++;
      places.release(slot);
    }
    // 1 of 11: 364 ± 18.
    assert.ok(first > 250 && first < 480, `${first} of 4000`);
  });

  it('fills a backend up to the part of its share, and to all of it in the end', () => {
    const { rig, states } = rigOf(2);
    states.setRamp(0, 250);
    ask(rig, 1000);
    assert.deepEqual([activeOf(rig.region, 0), activeOf(rig.region, 1)], [200, 800]);
    states.setRamp(0, 0);
    ask(rig, 600);
    assert.deepEqual([activeOf(rig.region, 0), activeOf(rig.region, 1)], [800, 800]);
  });

  it('takes a part that makes no sense for the whole', () => {
    for (const permille of [-1, 1000, 1001, 0x7fffffff]) {
      const { rig, states } = rigOf(2);
      states.setRamp(0, permille);
      ask(rig, 100);
      assert.equal(activeOf(rig.region, 0), 50);
    }
  });
});
