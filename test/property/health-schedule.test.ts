import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstDelayMs, gapMs } from '../../src/domain/health/check-schedule.js';
import { DueQueue, type DueEntry } from '../../src/domain/health/due-queue.js';
import { HealthState } from '../../src/domain/health/health-state.js';
import { fc } from '../support/fast-check.js';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const interval = fc.integer({ min: 100, max: 86_400_000 });

describe('the schedule of checks', () => {
  it('makes every first check within the interval, and no more than one in a millisecond on average where it can', () => {
    fc.assert(
      fc.property(interval, fc.integer({ min: 1, max: 65_535 }), random, (intervalMs, backends, value) => {
        const delayMs = firstDelayMs(intervalMs, backends, value);
        assert.ok(delayMs >= 0 && delayMs <= intervalMs && delayMs <= backends);
        assert.ok(firstDelayMs(intervalMs, backends, 0.5) >= Math.min(intervalMs, backends) / 2);
      }),
    );
  });

  it('keeps gaps within 5 % of the interval, which is their mean', () => {
    fc.assert(
      fc.property(interval, random, (intervalMs, value) => {
        assert.ok(Math.abs(gapMs(intervalMs, value) - intervalMs) <= intervalMs * 0.0501);
        assert.ok(Math.abs(gapMs(intervalMs, value) + gapMs(intervalMs, 1 - value) - 2 * intervalMs) < 1e-3);
      }),
    );
  });
});

describe('DueQueue', () => {
  type Entry = DueEntry & { readonly name: number };
  const command = fc.oneof(
    fc.record({ kind: fc.constant('put'), name: fc.nat(30), dueMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('remove'), name: fc.nat(30), dueMs: fc.constant(0) }),
    fc.record({ kind: fc.constant('take'), name: fc.constant(0), dueMs: fc.nat(60) }),
  );

  it('gives what is due, earliest first, each entry once, as a sorted list does', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const entries: Entry[] = Array.from({ length: 31 }, (_, name) => ({ name, dueMs: 0, queueIndex: -1 }));
        const queue = new DueQueue<Entry>();
        const model = new Map<number, number>();
        for (const { kind, name, dueMs } of commands) {
          const entry = entries[name];
          assert.ok(entry);
          if (kind === 'put') {
            queue.put(entry, dueMs);
            model.set(name, dueMs);
          } else if (kind === 'remove') {
            queue.remove(entry);
            model.delete(name);
          } else {
            const earliest = Math.min(...model.values());
            const taken = queue.takeDue(dueMs);
            assert.equal(taken?.dueMs, earliest <= dueMs ? earliest : undefined);
            if (taken !== null) assert.ok(model.delete(taken.name));
          }
          assert.deepEqual([queue.size, queue.nextDueMs], [model.size, Math.min(...model.values())]);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('HealthState', () => {
  it('is what the last run of results that was long enough says', () => {
    const threshold = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), threshold, threshold, (results, healthy, unhealthy) => {
        const state = new HealthState();
        let expected = true;
        for (const [index, result] of results.entries()) {
          const needed = index === 0 ? 1 : result ? healthy : unhealthy;
          const run = results.slice(Math.max(0, index + 1 - needed), index + 1);
          if (run.length === needed && run.every((it) => it === result)) expected = result;
          state.record(result, { healthy, unhealthy });
          assert.equal(state.isUp, expected);
        }
      }),
    );
  });
});
