/** The rate limit against its model: a queue of one client's arrivals, at any rate, across any wrap of the clock. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RateLimit, RateRule } from '../../src/domain/admission/rate-rule.js';
import { ANY_LISTENER, ClientKey } from '../../src/domain/shared/client-key.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { RATE_WAYS } from '../../src/domain/shared/layout.js';
import { RateTable } from '../../src/domain/shared/rate-table.js';
import { fc } from '../support/fast-check.js';
import { newRegion } from '../support/routing-rig.js';

const SEC = 1_000_000;

const limits: fc.Arbitrary<RateLimit> = fc.record({
  maxRequests: fc.integer({ min: 1, max: 1_000_000 }),
  windowSecs: fc.oneof(
    fc.constant(1),
    fc.integer({ min: 1, max: 86_400_000 }).map((ms) => ms / 1000),
  ),
  burst: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000 })),
});

function keyOf(region: ControlRegion, client: number): ClientKey {
  const key = new ClientKey(region.seeds());
  key.assign(ANY_LISTENER, 0, 0, 0xffff, client);
  return key;
}

/** As the relay gives it to route(). */
function ticksAt(rule: RateRule, micros: number): number {
  return rule.ticksAt(Math.floor(micros / SEC), micros | 0);
}

/** The same rule in whole numbers of any size: TAT' = max(now, TAT) + I, conforming where TAT' - now ≤ burst × I. */
class Model {
  #arrival = -Infinity;

  constructor(
    readonly rule: RateRule,
    readonly burst: number,
  ) {}

  take(tick: number): boolean {
    const next = Math.max(tick, this.#arrival) + this.rule.intervalTicks;
    if (next - tick > this.burst * this.rule.intervalTicks) return false;
    this.#arrival = next;
    return true;
  }
}

describe('rate rule', () => {
  it('makes a tick of at least a microsecond, an interval of whole ticks, and a burst of an eighth of the ring', () => {
    fc.assert(
      fc.property(limits, (limit) => {
        const rule = new RateRule(limit);
        const intervalMicros = Math.max((limit.windowSecs * SEC) / limit.maxRequests, 1);
        assert.ok(rule.tickMicros >= 1 && Number.isInteger(rule.intervalTicks));
        assert.ok(limit.burst * rule.intervalTicks <= 2 ** 29);
        assert.ok(Math.abs(rule.intervalTicks * rule.tickMicros - intervalMicros) <= intervalMicros * 1e-9);
      }),
    );
  });

  it('counts on where the microseconds of the clock wrap', () => {
    const rule = new RateRule({ maxRequests: 1, windowSecs: 1, burst: 1 });
    const before = 2 ** 32 - 1;
    assert.equal((ticksAt(rule, before + 10 * SEC) - ticksAt(rule, before)) | 0, 10 * rule.intervalTicks);
  });
});

describe('rate table', () => {
  it('admits what the rule says for any arrivals, also across wraps of the ring, if swept at times', () => {
    const arrivals = fc.record({
      startMicros: fc.oneof(fc.integer({ min: 0, max: 2 ** 33 }), fc.nat({ max: 2 ** 50 })),
      /** In hundredths of an interval, so that every rate has arrivals before, at and long after its bound. */
      gaps: fc.array(fc.oneof(fc.nat(20), fc.nat(300), fc.nat(1_000_000_000)), { maxLength: 80 }),
    });
    fc.assert(
      fc.property(limits, arrivals, (limit, { startMicros, gaps }) => {
        const rule = new RateRule(limit);
        const { region } = newRegion();
        const table = new RateTable(region);
        const key = keyOf(region, 1);
        const model = new Model(rule, limit.burst);
        let micros = startMicros;
        let wholeTicks = 0;
        let last = ticksAt(rule, micros);
        for (const gap of gaps) {
          const end = Math.min(micros + (gap * rule.intervalTicks * rule.tickMicros) / 100, 2 ** 51);
          // As the primary does it, at least once in an eighth of the ring.
          while (micros < end) {
            micros = Math.min(end, micros + 2 ** 29 * rule.tickMicros);
            const now = ticksAt(rule, Math.floor(micros));
            wholeTicks += (now - last) >>> 0;
            last = now;
            if (micros < end) table.sweep(now);
          }
          const now = ticksAt(rule, Math.floor(micros));
          assert.equal(table.take(key, rule, now), model.take(wholeTicks), `after ${wholeTicks} ticks`);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('admits burst + elapsed ÷ interval connections and not one more, whatever the times between them', () => {
    fc.assert(
      fc.property(limits, fc.array(fc.nat(200), { minLength: 1, maxLength: 200 }), (limit, gaps) => {
        const rule = new RateRule({ ...limit, burst: Math.min(limit.burst, 50) });
        const { region } = newRegion();
        const table = new RateTable(region);
        const key = keyOf(region, 1);
        let ticks = 0;
        let admitted = 0;
        for (const gap of gaps) {
          ticks += Math.floor((gap * rule.intervalTicks) / 100);
          if (table.take(key, rule, ticks | 0)) admitted++;
          assert.ok(admitted <= Math.min(limit.burst, 50) + Math.floor(ticks / rule.intervalTicks));
        }
      }),
    );
  });

  it('keeps clients apart, and gives a client of a full set its whole burst', () => {
    const { region } = newRegion({ rateSets: 1 });
    const table = new RateTable(region);
    const rule = new RateRule({ maxRequests: 1, windowSecs: 60, burst: 3 });
    const burstOf = (client: number): number => {
      let admitted = 0;
      while (admitted < 10 && table.take(keyOf(region, client), rule, 5)) admitted++;
      return admitted;
    };
    const clients = Array.from({ length: 3 * RATE_WAYS }, (_, client) => client);
    assert.deepEqual(
      clients.map(burstOf),
      clients.map(() => 3),
    );
  });

  it('evicts nobody who has just come while another bucket of the set is idle', () => {
    const { region } = newRegion({ rateSets: 1 });
    const table = new RateTable(region);
    const rule = new RateRule({ maxRequests: 1, windowSecs: 1, burst: 1 });
    const second = rule.intervalTicks;
    for (let client = 0; client < RATE_WAYS; client++) {
      assert.ok(table.take(keyOf(region, client), rule, client < 4 ? 0 : second));
    }
    for (let client = 100; client < 104; client++) assert.ok(table.take(keyOf(region, client), rule, second + 1));
    for (const client of [4, 5, 6, 7, 100, 101, 102, 103])
      assert.equal(table.take(keyOf(region, client), rule, second + 2), false, `client ${client}`);
  });

  it('starts afresh under another rule, whatever the old one has written', () => {
    fc.assert(
      fc.property(limits, limits, fc.nat({ max: 2 ** 40 }), (one, other, micros) => {
        const [before, after] = [new RateRule(one), new RateRule(other)];
        if (before.fingerprint === after.fingerprint) return;
        const { region } = newRegion({ rateSets: 1 });
        const table = new RateTable(region);
        const key = keyOf(region, 1);
        for (let i = 0; i < 20; i++) table.take(key, before, ticksAt(before, micros));
        assert.ok(table.take(key, after, ticksAt(after, micros)));
      }),
    );
  });
});
