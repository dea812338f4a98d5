import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Backend } from '../../src/domain/backend.js';
import { countryNumber, regionTable } from '../../src/domain/regions.js';
import { GeoScore } from '../../src/domain/routing/geo-score.js';
import { Xorshift128 } from '../../src/domain/routing/xorshift128.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { MAX_TRIES } from '../../src/domain/shared/batch-layout.js';
import { BACKEND } from '../../src/domain/shared/layout.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { fc } from '../support/fast-check.js';
import { backend, newRegion } from '../support/routing-rig.js';

interface Loaded {
  readonly backend: Backend;
  readonly active: number;
}

const COUNTRIES = ['', 'BR', 'AR', 'US', 'DE', 'FR', 'JP'];
const REGIONS = ['', 'sa', 'us', 'eu', 'moon'];
const REGION_OF = regionTable();

const loaded: fc.Arbitrary<Loaded> = fc.record({
  backend: fc
    .record({
      country: fc.constantFrom(...COUNTRIES),
      region: fc.constantFrom(...REGIONS),
      isHealthy: fc.oneof({ arbitrary: fc.constant(true), weight: 5 }, fc.constant(false)),
      isDraining: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, fc.constant(true)),
      weight: fc.nat(4),
      softLimit: fc.nat(4),
      hardLimit: fc.constantFrom(0, 0, 1, 3, 5000),
    })
    .map((changes) => backend('', changes)),
  // Mostly a few, sometimes so many that a nearer class loses, sometimes exactly 100 or 200 per place.
  active: fc.oneof(fc.nat(6), fc.constantFrom(100, 200, 300, 400, 1200), fc.nat(2000)),
});

/** The score as two whole numbers, so that the reference knows no rounding. */
function scoreOf(
  { backend: it, active }: Loaded,
  country: string,
  popRegion: string,
): [numerator: bigint, denominator: bigint] {
  const clientRegion = REGION_OF.get(country);
  const isIn = (region: string | undefined): boolean => region !== undefined && region !== '' && it.region === region;
  const geoScore = country !== '' && it.country === country ? 0 : isIn(clientRegion) ? 1 : isIn(popRegion) ? 2 : 3;
  const denominator = BigInt(Math.max(it.softLimit, 1) * it.weight);
  return [BigInt(geoScore) * 100n * denominator + BigInt(active), denominator];
}

function isCandidate({ backend: it, active }: Loaded): boolean {
  return it.isHealthy && !it.isDraining && it.weight > 0 && (it.hardLimit === 0 || active < it.hardLimit);
}

/** Positions of the best candidates, found by looking at all of them one after the other. */
function bestOf(all: readonly Loaded[], country: string, popRegion: string, tried: readonly number[]): number[] {
  let best: [bigint, bigint] | null = null;
  let positions: number[] = [];
  for (const [position, it] of all.entries()) {
    if (!isCandidate(it) || tried.includes(position)) continue;
    const score = scoreOf(it, country, popRegion);
    const order: bigint = best === null ? -1n : score[0] * best[1] - best[0] * score[1];
    if (order < 0n) [best, positions] = [score, []];
    if (order <= 0n) positions.push(position);
  }
  return positions;
}

/** A router over these backends; the slot of each is its position. */
function router(
  all: readonly Loaded[],
  popRegion: string,
  tried: Int32Array,
  seed = 1,
): (country: string, tries: number) => number {
  const { region } = newRegion();
  const writer = new RoutesWriter(region, new BindingTable(region));
  writer.publish(
    all.map((it, position) => ({ ...it.backend, id: `b${position}` })),
    REGION_OF,
    popRegion,
  );
  for (const [slot, { active }] of all.entries()) region.words[region.backendAt(slot) + BACKEND.ACTIVE] = active;
  const reader = new RoutesReader(region, 0);
  reader.enter();
  const score = new GeoScore(region.words, reader.table, new Xorshift128([seed, 2, 3, 4]), tried);
  return (country, tries) => {
    const route = score.choose(countryNumber(country), 0, tries);
    return route < 0 ? -1 : (reader.table.slot[route] ?? -1);
  };
}

describe('geo score', () => {
  it('chooses a backend that nobody beats, as one that compares all with all does', () => {
    const inputs = [
      fc.array(loaded, { maxLength: 40 }),
      fc.constantFrom(...COUNTRIES, 'ZZ', 'NG'),
      fc.constantFrom(...REGIONS),
      fc.array(fc.nat(39), { maxLength: MAX_TRIES }),
    ] as const;
    fc.assert(
      fc.property(...inputs, (all, country, popRegion, tried) => {
        const slot = router(all, popRegion, Int32Array.from(tried))(country, tried.length);
        const best = bestOf(all, country, popRegion, tried);
        if (best.length === 0) assert.equal(slot, -1);
        else assert.ok(best.includes(slot), `${slot} is none of ${best.join()}`);
      }),
      { numRuns: 1500 },
    );
  });

  it('chooses again from all once the tried ones are forgotten', () => {
    const all = [{ backend: backend('', { country: 'BR' }), active: 0 }];
    const choose = router(all, 'sa', Int32Array.of(0));
    assert.deepEqual([choose('BR', 1), choose('BR', 0)], [-1, 0]);
  });

  it('lets every one of several equals have its part by weight', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(weights, fc.nat(1000), (all, seed) => {
        const draws = 4000;
        const choose = router(
          all.map((weight) => ({ backend: backend('', { weight }), active: 0 })),
          'sa',
          new Int32Array(8),
          seed + 1,
        );
        const counts = new Array<number>(all.length).fill(0);
        for (let draw = 0; draw < draws; draw++) {
          const slot = choose('', 0);
          counts[slot] = (counts[slot] ?? 0) + 1;
        }
        const total = all.reduce((sum, weight) => sum + weight, 0);
        for (const [slot, weight] of all.entries()) {
          const share = weight / total;
          // Six standard deviations: one of some thousand million draws of this test would be beyond.
          const bound = 6 * Math.sqrt(draws * share * (1 - share));
          assert.ok(
            Math.abs((counts[slot] ?? 0) - draws * share) < bound,
            `slot ${slot}: ${counts.join()} by ${all.join()}`,
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it('shares between classes whose scores are equal', () => {
    const near = { backend: backend('', { country: 'BR', softLimit: 1 }), active: 100 };
    const far = { backend: backend('', { country: 'AR', region: 'sa' }), active: 0 };
    const choose = router([near, far], 'sa', new Int32Array(8));
    const seen = new Set(Array.from({ length: 64 }, () => choose('BR', 0)));
    assert.deepEqual([...seen].sort(), [0, 1]);
  });
});
