import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { geoRouter } from '../../src/domain/routing/routers/geo.js';
import { leastConnectionsRouter } from '../../src/domain/routing/routers/least-connections.js';
import { randomRouter } from '../../src/domain/routing/routers/random.js';
import { BACKEND } from '../../src/domain/shared/layout.js';
import { fc } from '../support/fast-check.js';
import { RouterRig } from '../support/router-rig.js';
import { backend } from '../support/routing-rig.js';

interface Loaded {
  readonly weight: number;
  readonly hardLimit: number;
  readonly active: number;
}

const loaded: fc.Arbitrary<Loaded> = fc.record({
  weight: fc.integer({ min: 1, max: 5 }),
  hardLimit: fc.constantFrom(0, 0, 3, 8),
  active: fc.nat(12),
});
const someLoaded = fc.array(loaded, { minLength: 1, maxLength: 12 });

function hasRoom({ hardLimit, active }: Loaded): boolean {
  return hardLimit === 0 || active < hardLimit;
}

/** Publishes backends that have connections already. */
function load<Options>(rig: RouterRig<Options>, all: readonly Loaded[]): void {
  rig.publish(all.map(({ weight, hardLimit }, position) => backend(`b${position}`, { weight, hardLimit })));
  for (const [position, { active }] of all.entries()) rig.setWord(position, BACKEND.ACTIVE, active);
}

/** Each one's share of many draws is its part of the sum of `parts`. */
function assertShares(draw: () => number, parts: readonly number[]): void {
  const draws = 3000;
  const counts = parts.map(() => 0);
  for (let turn = 0; turn < draws; turn++) {
    const position = draw();
    counts[position] = (counts[position] ?? 0) + 1;
  }
  const total = parts.reduce((sum, part) => sum + part, 0);
  for (const [position, part] of parts.entries()) {
    const share = part / total;
    // Six standard deviations: one of some thousand million would be beyond.
    const bound = 6 * Math.sqrt(draws * share * (1 - share));
    const own = counts[position] ?? 0;
    assert.ok(Math.abs(own - draws * share) <= bound, `${position}: ${counts.join()} by ${parts.join()}`);
  }
}

describe('least_connections', () => {
  it('chooses one that nobody has fewer connections for its weight than', () => {
    fc.assert(
      fc.property(someLoaded, (all) => {
        const rig = new RouterRig(leastConnectionsRouter);
        load(rig, all);
        const open = all.filter(hasRoom);
        const chosen = all[rig.choose()];
        if (open.length === 0) assert.equal(chosen, undefined);
        else assert.ok(chosen !== undefined && hasRoom(chosen));
        // Whole numbers, so that the reference knows no rounding.
        const isBetter = (it: Loaded): boolean => it.active * (chosen?.weight ?? 0) < (chosen?.active ?? 0) * it.weight;
        assert.ok(!open.some(isBetter));
      }),
      { numRuns: 500 },
    );
  });

  it('shares equals by weight', () => {
    const rig = new RouterRig(leastConnectionsRouter);
    load(rig, [
      { weight: 1, hardLimit: 0, active: 2 },
      { weight: 3, hardLimit: 0, active: 6 },
      { weight: 2, hardLimit: 0, active: 5 },
    ]);
    assertShares(() => rig.choose(), [1, 3, 0]);
  });

  it('keeps connections over all workers in proportion to weight', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }), (weights) => {
        const rig = new RouterRig(leastConnectionsRouter, {}, { workers: 3 });
        rig.publish(weights.map((weight, position) => backend(`b${position}`, { weight })));
        for (let client = 0; client < 300; client++) rig.take({}, client % 3);
        const loads = weights.map((weight, position) => rig.activeOf(position) / weight);
        assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, loads.join());
      }),
      { numRuns: 30 },
    );
  });

  it('counts the part of the weight that one has while it starts slowly', () => {
    const rig = new RouterRig(leastConnectionsRouter);
    rig.publish([backend('a'), backend('b')]);
    rig.states.setRamp(rig.slotOf(1), 100);
    rig.refresh();
    for (let client = 0; client < 110; client++) rig.take();
    assert.ok(Math.abs(rig.activeOf(1) - 10) <= 1, `${rig.activeOf(1)} of 110`);
  });
});

describe('random', () => {
  it('gives each backend with room its part by weight', () => {
    fc.assert(
      fc.property(someLoaded, (all) => {
        const rig = new RouterRig(randomRouter);
        load(rig, all);
        const parts = all.map((it) => (hasRoom(it) ? it.weight : 0));
        if (parts.some((part) => part > 0)) assertShares(() => rig.choose(), parts);
        else assert.equal(rig.choose(), -1);
      }),
      { numRuns: 30 },
    );
  });

  it('finds the only one with room among many', () => {
    const rig = new RouterRig(randomRouter, {}, { backends: 200 });
    load(
      rig,
      Array.from({ length: 200 }, (_, position) => ({ weight: 1, hardLimit: 1, active: position === 77 ? 0 : 1 })),
    );
    for (let client = 0; client < 20; client++) assert.equal(rig.choose(), 77);
  });

  it('goes by the part of the weight that one has while it starts slowly', () => {
    const rig = new RouterRig(randomRouter);
    rig.publish([backend('a', { weight: 2 }), backend('b', { weight: 2 })]);
    rig.choose();
    rig.states.setRamp(rig.slotOf(1), 250);
    rig.refresh();
    assertShares(() => rig.choose(), [4, 1]);
  });
});

describe('geo over a pool', () => {
  const places = [
    backend('br', { country: 'BR', region: 'sa', softLimit: 10 }),
    backend('ar', { country: 'AR', region: 'sa', softLimit: 10 }),
    backend('us', { country: 'US', region: 'us', softLimit: 10 }),
    backend('de', { country: 'DE', region: 'eu', softLimit: 10 }),
  ];

  it('goes by country, then by region, then by the region of this POP, then anywhere', () => {
    const rig = new RouterRig(geoRouter);
    rig.publish(places);
    assert.equal(rig.choose({ country: 'BR' }), 0);
    assert.equal(rig.choose({ country: 'MX' }), 2);
    assert.equal(rig.choose({ country: 'FR' }), 3);
    const atHome = new Set(Array.from({ length: 64 }, () => rig.choose({ country: 'JP' })));
    assert.deepEqual([...atHome].sort(), [0, 1]);
    rig.publish(places.slice(2));
    const elsewhere = new Set(Array.from({ length: 64 }, () => rig.choose()));
    assert.deepEqual([...elsewhere].sort(), [0, 1]);
  });

  it('goes one class farther only beyond a hundred times the soft limit', () => {
    const rig = new RouterRig(geoRouter);
    rig.publish(places);
    rig.setWord(0, BACKEND.ACTIVE, 999);
    assert.equal(rig.choose({ country: 'BR' }), 0);
    rig.setWord(0, BACKEND.ACTIVE, 1001);
    assert.equal(rig.choose({ country: 'BR' }), 1);
  });
});
