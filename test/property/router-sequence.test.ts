import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { roundRobinRouter } from '../../src/domain/routing/routers/round-robin.js';
import { weightedRouter } from '../../src/domain/routing/routers/weighted.js';
import { SmoothSequence } from '../../src/domain/routing/smooth-sequence.js';
import { BACKEND } from '../../src/domain/shared/layout.js';
import { fc } from '../support/fast-check.js';
import { RouterRig } from '../support/router-rig.js';
import { backend } from '../support/routing-rig.js';

const WORKERS = 3;

/** nginx's algorithm as it is told: all gain their weight, the first of those that have most is next and loses the sum. */
function smoothly(weights: readonly number[], places: number): number[] {
  const gains = weights.map(() => 0);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Array.from({ length: places }, () => {
    for (const [index, weight] of weights.entries()) gains[index] = (gains[index] ?? 0) + weight;
    const next = gains.indexOf(Math.max(...gains));
    gains[next] = (gains[next] ?? 0) - sum;
    return next;
  });
}

function letters(positions: readonly number[]): string {
  return positions.map((position) => 'abcdefgh'[position] ?? '?').join(' ');
}

function backends(weights: readonly number[], hardLimit = 0): ReturnType<typeof backend>[] {
  return weights.map((weight, position) => backend(`b${position}`, { weight, hardLimit }));
}

/** Which worker each client comes to. */
const arrivals = fc.array(fc.nat(WORKERS - 1), { minLength: 1, maxLength: 200 });
const weightLists = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

function counted(chosen: readonly number[], backendCount: number): number[] {
  return Array.from({ length: backendCount }, (_, position) => chosen.filter((it) => it === position).length);
}

describe('round_robin', () => {
  it('gives each backend its turn in one order over all workers, whichever worker a client comes to', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1, max: 8 }), (clients, count) => {
        const rig = new RouterRig(roundRobinRouter, {}, { workers: WORKERS });
        rig.publish(backends(Array<number>(count).fill(1)));
        const chosen = clients.map((worker) => rig.take({}, worker));
        assert.deepEqual(
          chosen,
          clients.map((_, turn) => turn % count),
        );
      }),
    );
  });

  it('does not go by weight', () => {
    const rig = new RouterRig(roundRobinRouter);
    rig.publish(backends([5, 1]));
    assert.equal(letters([1, 2, 3, 4].map(() => rig.take())), 'a b a b');
  });

  it('passes over the full ones, and the others share their turns evenly', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 8 }), arrivals, (isFull, clients) => {
        const rig = new RouterRig(roundRobinRouter, {}, { workers: WORKERS });
        rig.publish(backends(Array<number>(isFull.length).fill(1), 1000));
        for (const [position, full] of isFull.entries()) if (full) rig.setWord(position, BACKEND.ACTIVE, 1000);
        const chosen = clients.map((worker) => rig.take({}, worker));
        const open = isFull.flatMap((full, position) => (full ? [] : [position]));
        const expected = clients.map((_, turn) => (open.length === 0 ? -1 : (open[turn % open.length] ?? -1)));
        assert.deepEqual(chosen, expected);
      }),
    );
  });

  it('goes on where it was when a cursor is found that is beyond the end, or below 0', () => {
    for (const cursor of [-1, 0x7fffffff, -0x80000000, 17]) {
      const rig = new RouterRig(roundRobinRouter);
      rig.publish(backends([1, 1, 1]));
      rig.cursor = cursor;
      const chosen = Array.from({ length: 9 }, () => rig.take());
      assert.deepEqual(counted(chosen, 3), [3, 3, 3]);
      assert.deepEqual(chosen.slice(0, 3), chosen.slice(3, 6));
    }
  });

  it('gives one that starts slowly a part of its turns, spread among the others', () => {
    const rig = new RouterRig(roundRobinRouter);
    rig.publish(backends([1, 1, 1]));
    rig.states.setRamp(rig.slotOf(2), 250);
    rig.refresh();
    const chosen = Array.from({ length: 18 }, () => rig.take());
    assert.deepEqual(counted(chosen, 3), [8, 8, 2]);
    rig.states.setRamp(rig.slotOf(2), 0);
    rig.refresh();
    const after = Array.from({ length: 18 }, () => rig.take());
    assert.deepEqual(counted(after, 3), [6, 6, 6]);
  });
});

describe('weighted', () => {
  it('spreads 3, 1, 1 as a b a c a and 5, 1, 1 as a a b a c a a', () => {
    const rig = new RouterRig(weightedRouter);
    rig.publish(backends([3, 1, 1]));
    assert.equal(letters([1, 2, 3, 4, 5].map(() => rig.take())), 'a b a c a');
    const other = new RouterRig(weightedRouter);
    other.publish(backends([5, 1, 1]));
    assert.equal(letters([1, 2, 3, 4, 5, 6, 7].map(() => other.take())), 'a a b a c a a');
  });

  it('is the smooth sequence over all workers, whichever worker a client comes to', () => {
    fc.assert(
      fc.property(weightLists, arrivals, (weights, clients) => {
        const rig = new RouterRig(weightedRouter, {}, { workers: WORKERS });
        rig.publish(backends(weights));
        const chosen = clients.map((worker) => rig.take({}, worker));
        assert.deepEqual(chosen, smoothly(weights, clients.length));
      }),
    );
  });

  it('shares what the full ones leave by weight', () => {
    const rig = new RouterRig(weightedRouter);
    rig.publish(backends([4, 2, 1, 1], 100_000));
    rig.setWord(0, BACKEND.ACTIVE, 100_000);
    const chosen = Array.from({ length: 400 }, () => rig.take());
    assert.deepEqual(counted(chosen, 4), [0, 200, 100, 100]);
  });

  it('gives the last place of the last backend to one client alone', () => {
    const rig = new RouterRig(weightedRouter, {}, { workers: WORKERS });
    rig.publish(backends([3, 1], 2));
    const chosen = Array.from({ length: 6 }, (_, client) => rig.take({}, client % WORKERS));
    assert.deepEqual(counted(chosen, 2), [2, 2]);
    assert.deepEqual(chosen.slice(4), [-1, -1]);
  });

  it('with smooth_weighted = false keeps the shares by weight, in no order', () => {
    const rig = new RouterRig(weightedRouter, { smooth_weighted: false });
    rig.publish(backends([3, 1]));
    const draws = 4000;
    const chosen = Array.from({ length: draws }, () => rig.choose());
    const [first = 0] = counted(chosen, 2);
    assert.ok(Math.abs(first - draws * 0.75) < 6 * Math.sqrt(draws * 0.75 * 0.25), `${first} of ${draws}`);
    assert.notDeepEqual(chosen.slice(0, 40), smoothly([3, 1], 40));
  });

  it('refuses what is no option', () => {
    const parsed = weightedRouter.parse({ smooth_weighted: 'yes' });
    assert.deepEqual(parsed, {
      isValid: false,
      problems: [{ key: 'smooth_weighted', expected: 'expected true or false' }],
    });
  });
});

describe('smooth sequence', () => {
  const built = (weights: readonly number[]): SmoothSequence => {
    const sequence = new SmoothSequence();
    sequence.build(
      Int32Array.from(weights, (_, index) => index),
      weights.length,
      Float64Array.from(weights),
    );
    return sequence;
  };

  it('is as long as the weights without what divides them all, and each comes as often as its weight', () => {
    fc.assert(
      fc.property(weightLists, fc.integer({ min: 1, max: 1000 }), (weights, factor) => {
        const sequence = built(weights.map((weight) => weight * factor));
        const plain = built(weights);
        assert.deepEqual(sequence.routes.subarray(0, sequence.length), plain.routes.subarray(0, plain.length));
        assert.deepEqual([...plain.routes.subarray(0, plain.length)], smoothly(weights, plain.length));
      }),
    );
  });

  it('bounds its length for weights without a common measure, and keeps their shares', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 0x7fffffff }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(weights, (list) => {
        const { length, routes } = built(list);
        assert.ok(length <= 16_384 + list.length, `${length} places`);
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const turns = counted([...routes.subarray(0, length)], list.length);
        for (const [index, weight] of list.entries()) {
          const own = turns[index] ?? 0;
          assert.ok(own >= 1 && Math.abs(own / length - weight / total) < 0.01, `${own} of ${length} for ${weight}`);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('spreads each one evenly: after any number of places nobody has had a whole turn too much or too little', () => {
    fc.assert(
      fc.property(weightLists, (weights) => {
        const { length, routes } = built(weights);
        const sum = weights.reduce((total, weight) => total + weight, 0);
        const had = weights.map(() => 0);
        for (let place = 0; place < length; place++) {
          const route = routes[place] ?? 0;
          had[route] = (had[route] ?? 0) + 1;
          for (const [index, weight] of weights.entries()) {
            const due = ((place + 1) * weight) / sum;
            assert.ok(Math.abs((had[index] ?? 0) - due) < weights.length, `${index} after ${place + 1}`);
          }
        }
      }),
    );
  });
});
