import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { latencyRouter } from '../../src/domain/routing/routers/latency.js';
import { BACKEND } from '../../src/domain/shared/layout.js';
import { fc } from '../support/fast-check.js';
import { RouterRig } from '../support/router-rig.js';
import { backend } from '../support/routing-rig.js';

const MILLI = 1000;
const CHOICES = 400;

/** Backends of these connect times, 0 = not measured, that nobody is connected to. */
function measured(micros: readonly number[], config: Readonly<Record<string, unknown>> = { explore: 0 }): Rig {
  const rig = new RouterRig(latencyRouter, config);
  rig.publish(micros.map((_, position) => backend(`b${position}`, { softLimit: 100 })));
  measure(rig, micros);
  return rig;
}

type Rig = RouterRig<{ readonly explore: number }>;

function measure(rig: Rig, micros: readonly number[]): void {
  for (const [position, value] of micros.entries()) rig.setWord(position, BACKEND.CONNECT_MICROS, value);
}

function load(rig: Rig, active: readonly number[]): void {
  for (const [position, value] of active.entries()) rig.setWord(position, BACKEND.ACTIVE, value);
}

function chosen(rig: Rig): number[] {
  return [...new Set(Array.from({ length: CHOICES }, () => rig.choose()))].sort();
}

describe('latency', () => {
  it('chooses among those within 2 ms or a fifth of the nearest, and no other while these have room', () => {
    const latencies = fc.array(fc.integer({ min: 1, max: 300 * MILLI }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(latencies, (micros) => {
        const nearest = Math.min(...micros);
        const bound = Math.max(nearest * 1.2, nearest + 2 * MILLI);
        const expected = micros.flatMap((it, position) => (it <= bound ? [position] : []));
        assert.deepEqual(chosen(measured(micros)), expected.sort());
      }),
      { numRuns: 60 },
    );
  });

  it('shares by load among those, and goes farther only beyond a hundred times the soft limit or without room', () => {
    const rig = measured([20 * MILLI, 21 * MILLI, 90 * MILLI]);
    load(rig, [60, 50, 0]);
    assert.deepEqual(chosen(rig), [1]);
    load(rig, [9_000, 9_999, 0]);
    assert.deepEqual(chosen(rig), [0]);
    // Twice doubled is two classes farther.
    load(rig, [30_001, 30_001, 0]);
    assert.deepEqual(chosen(rig), [2]);
  });

  it('sends nobody from one to the other and back while two measures swing between the bounds', () => {
    const swing = fc.array(fc.integer({ min: 21 * MILLI, max: 27 * MILLI }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(swing, fc.boolean(), (measures, isNear) => {
        // Always within 40 % of the nearest, now and then within a fifth: who was near stays, who was not comes once.
        const rig = measured([20 * MILLI, (isNear ? 20 : 40) * MILLI]);
        load(rig, [1, 0]);
        rig.choose();
        const seen = measures.map((micros) => {
          measure(rig, [20 * MILLI, micros]);
          return rig.choose();
        });
        const changes = seen.filter((position, index) => index > 0 && position !== seen[index - 1]).length;
        assert.ok(changes <= 1, seen.join(' '));
        if (isNear) assert.ok(!seen.includes(0), seen.join(' '));
      }),
    );
  });

  it('leaves one that has become slower, and comes back to it when it is as quick as before', () => {
    const rig = measured([20 * MILLI, 22 * MILLI]);
    assert.deepEqual(chosen(rig), [0, 1]);
    measure(rig, [80 * MILLI, 22 * MILLI]);
    assert.deepEqual(chosen(rig), [1]);
    measure(rig, [20 * MILLI, 22 * MILLI]);
    assert.deepEqual(chosen(rig), [0, 1]);
  });

  it('goes by load alone where nobody was measured', () => {
    const rig = measured([0, 0, 0]);
    assert.deepEqual(chosen(rig), [0, 1, 2]);
    load(rig, [2, 1, 2]);
    assert.deepEqual(chosen(rig), [1]);
  });

  it('gives one that was never measured a client now and then while it has none, and otherwise the last of all', () => {
    const rig = measured([20 * MILLI, 0, 300 * MILLI]);
    load(rig, [1, 0, 0]);
    const looks = Array.from({ length: 1600 }, () => rig.choose()).filter((position) => position === 1).length;
    assert.ok(looks > 40 && looks < 200, `${looks} of 1600`);
    load(rig, [1, 1, 0]);
    assert.deepEqual(chosen(rig), [0]);
  });

  it('sends a small part of the clients anywhere, so that one that was far once is measured again', () => {
    const rig = measured([20 * MILLI, 300 * MILLI], { explore: 0.1 });
    const choices = 4000;
    const far = Array.from({ length: choices }, () => rig.choose()).filter((position) => position === 1).length;
    // Six standard deviations around a half of a tenth.
    assert.ok(Math.abs(far - choices * 0.05) < 6 * Math.sqrt(choices * 0.05 * 0.95), `${far} of ${choices}`);
    assert.deepEqual(chosen(measured([20 * MILLI, 300 * MILLI])), [0]);
  });

  it('finds the nearest among those that have room', () => {
    const rig = measured([0, 0, 0]);
    rig.publish([backend('b0', { hardLimit: 1 }), backend('b1'), backend('b2')]);
    measure(rig, [MILLI, 50 * MILLI, 55 * MILLI]);
    assert.deepEqual(chosen(rig), [0]);
    load(rig, [1, 0, 0]);
    assert.deepEqual(chosen(rig), [1, 2]);
  });

  it('refuses an explore that is no share', () => {
    for (const explore of [0.6, -1, '1 %', Number.NaN]) {
      const parsed = latencyRouter.parse({ explore });
      const expected = 'expected a number from 0.0001 to 0.5, or 0 for none';
      assert.deepEqual(parsed, { isValid: false, problems: [{ key: 'explore', expected }] });
    }
  });
});
