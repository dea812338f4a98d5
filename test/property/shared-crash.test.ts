import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { DeadWorkerShares } from '../../src/domain/shared/dead-worker-shares.js';
import { ROUTES_AT, ROUTES_CONTROL, WORKER } from '../../src/domain/shared/layout.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { regionTable } from '../../src/domain/regions.js';
import { crashBefore } from '../support/crash-point.js';
import { fc } from '../support/fast-check.js';
import { activeOf, backend, newRegion, pairSequenceOf, RoutingRig, shareOf } from '../support/routing-rig.js';

const SLOTS = 3;
const LIMIT = 4;

interface Change {
  readonly worker: number;
  readonly slot: number;
  readonly isReserve: boolean;
}

const change: fc.Arbitrary<Change> = fc.record({
  worker: fc.nat(2),
  slot: fc.nat(SLOTS - 1),
  isReserve: fc.boolean(),
});

/** Workers that reserve and release, and what each must hold. */
class Crew {
  readonly region: ControlRegion = newRegion({ backends: SLOTS, workers: 3 }).region;
  readonly places = [0, 1, 2].map((worker) => new Reservations(this.region, worker));
  readonly held = [0, 1, 2].map(() => new Array<number>(SLOTS).fill(0));

  apply({ worker, slot, isReserve }: Change): void {
    const places = this.places[worker];
    const held = this.held[worker];
    if (places === undefined || held === undefined) return;
    const before = held[slot] ?? 0;
    if (isReserve) held[slot] = before + (places.reserve(slot, LIMIT) ? 1 : 0);
    else if (before > 0) {
      places.release(slot);
      held[slot] = before - 1;
    }
  }

  assertOnlyHeldBy(living: readonly number[]): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      const expected = living.map((worker) => this.held[worker]?.[slot] ?? 0);
      assert.equal(
        activeOf(this.region, slot),
        expected.reduce((sum, part) => sum + part, 0),
        `active of slot ${slot}`,
      );
      for (const worker of [0, 1, 2]) {
        const index = living.indexOf(worker);
        assert.equal(
          shareOf(this.region, worker, slot),
          index < 0 ? 0 : expected[index],
          `share of ${worker} in ${slot}`,
        );
      }
    }
    for (const worker of [0, 1, 2]) assert.equal(pairSequenceOf(this.region, worker) & 1, 0);
  }
}

const history = fc.array(change, { maxLength: 30 });

describe('giving back', () => {
  it('counts exactly, and never beyond the limit', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 100 }), (changes) => {
        const crew = new Crew();
        for (const it of changes) {
          crew.apply(it);
          assert.ok(activeOf(crew.region, it.slot) <= LIMIT);
        }
        crew.assertOnlyHeldBy([0, 1, 2]);
      }),
    );
  });

  it('is exact wherever a worker is killed', () => {
    fc.assert(
      fc.property(history, change, fc.nat(4), history, (before, last, steps, after) => {
        const crew = new Crew();
        for (const it of before) crew.apply(it);
        crashBefore(steps, () => crew.apply({ ...last, worker: 2 }));
        // The others go on before the primary hears of it.
        for (const it of after) crew.apply({ ...it, worker: it.worker % 2 });
        assert.ok(new DeadWorkerShares(crew.region).reclaim(2, SLOTS));
        crew.assertOnlyHeldBy([0, 1]);
      }),
      { numRuns: 500 },
    );
  });

  it('settles workers that die together between their changes, in either order', () => {
    fc.assert(
      fc.property(
        history,
        change,
        change,
        fc.nat(4),
        fc.nat(4),
        fc.boolean(),
        (before, one, two, steps1, steps2, isSwapped) => {
          const crew = new Crew();
          for (const it of before) crew.apply(it);
          crashBefore(steps1, () => crew.apply({ ...one, worker: 1 }));
          crashBefore(steps2, () => crew.apply({ ...two, worker: 2 }));
          const shares = new DeadWorkerShares(crew.region);
          const order = isSwapped ? [1, 2] : [2, 1];
          const isSettled = order.map((worker) => shares.reclaim(worker, SLOTS));
          assert.equal(isSettled[1], true);
          crew.assertOnlyHeldBy([0]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('waits for a living worker that is between two changes, says for which slots, and gives nothing back twice', () => {
    const crew = new Crew();
    crew.apply({ worker: 2, slot: 1, isReserve: true });
    crew.apply({ worker: 0, slot: 1, isReserve: true });
    // Worker 2 dies with `active` raised and its share not; worker 0 is suspended at the same point.
    crashBefore(2, () => crew.apply({ worker: 2, slot: 1, isReserve: true }));
    crashBefore(2, () => crew.apply({ worker: 0, slot: 1, isReserve: true }));
    const shares = new DeadWorkerShares(crew.region);
    assert.equal(shares.reclaim(2, SLOTS), false);
    assert.deepEqual(shares.pendingSlots, [1]);
    assert.equal(shares.settle(), false);
    assert.equal(activeOf(crew.region, 1), 4);
    // Worker 0 wakes up and ends what it began.
    const row = crew.region.rowAt(0, 1);
    Atomics.add(crew.region.words, row, 1);
    Atomics.add(crew.region.words, crew.region.workerAt(0) + WORKER.PAIR_SEQUENCE, 1);
    assert.equal(shares.settle(), true);
    assert.deepEqual(shares.pendingSlots, []);
    assert.deepEqual([activeOf(crew.region, 1), shareOf(crew.region, 0, 1), shareOf(crew.region, 2, 1)], [2, 2, 0]);
    assert.equal(shares.settle(), true);
    assert.equal(activeOf(crew.region, 1), 2);
  });

  it('takes a worker back that died holding nothing, and one that is reported twice', () => {
    const crew = new Crew();
    crew.apply({ worker: 0, slot: 0, isReserve: true });
    const shares = new DeadWorkerShares(crew.region);
    assert.equal(shares.reclaim(1, SLOTS), true);
    assert.equal(shares.reclaim(1, SLOTS), true);
    crew.assertOnlyHeldBy([0]);
  });
});

describe('a writer or a table gone wrong', () => {
  it('leaves the old table in force when the primary is killed while it publishes', () => {
    fc.assert(
      fc.property(fc.nat(400), (steps) => {
        const { region } = newRegion();
        const writer = new RoutesWriter(region, new BindingTable(region));
        writer.publish([backend('a', { port: 1 }), backend('b', { port: 1 })], regionTable(), 'sa');
        const isKilled = crashBefore(steps, () =>
          writer.publish(
            ['a', 'b', 'c', 'd'].map((id) => backend(id, { port: 2 })),
            regionTable(),
            'sa',
          ),
        );
        const rig = new RoutingRig(region);
        const ports = new Set([1, 2, 3, 4, 5].map((host) => rig.ask(host).port));
        assert.equal(ports.size, 1);
        if (!isKilled) assert.deepEqual([...ports], [2]);
      }),
      { numRuns: 300 },
    );
  });

  it('answers every request whatever stands in the routes', () => {
    const word = fc.oneof(fc.integer(), fc.integer({ min: -2, max: 80 }));
    fc.assert(
      fc.property(fc.array(word, { minLength: 64, maxLength: 64 }), word, word, (records, count, live) => {
        const { region } = newRegion({ backends: 4 });
        const rig = new RoutingRig(region);
        rig.batch.useCountries({ countryOf: () => live });
        const { routes, routesControl } = region.offsets;
        for (const table of routes) {
          region.words.set([count, live], table);
          region.words.set(records, table + 16);
          region.words.set(records, table + ROUTES_AT);
        }
        Atomics.store(region.words, routesControl + ROUTES_CONTROL.LIVE, live);
        Atomics.add(region.words, routesControl + ROUTES_CONTROL.GENERATION, 1);
        for (let host = 0; host < 20; host++) {
          const { slot } = rig.ask(host, { tried: host % 2 === 0 ? [] : [host % 4] });
          assert.ok(slot >= -2 && slot < 4);
        }
      }),
      { numRuns: 300 },
    );
  });
});
