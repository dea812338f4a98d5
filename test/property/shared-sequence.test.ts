import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionTable } from '../../src/domain/regions.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { fc } from '../support/fast-check.js';
import { backend, newRegion } from '../support/routing-rig.js';

/** Runs `action`; in the middle of it, before its `loads`-th read of shared memory, `interruption` happens. */
function interruptedAfter(loads: number, interruption: () => void, action: () => void): void {
  const original = Atomics.load.bind(Atomics);
  let left = loads;
  const counted = (words: Int32Array, at: number): number => {
    if (left-- === 0) interruption();
    return original(words, at);
  };
  Object.assign(Atomics, { load: counted });
  try {
    action();
  } finally {
    Object.assign(Atomics, { load: original });
  }
}

describe('the copy of a routes table', () => {
  it('is of one publish, however many happen at whatever point of it', () => {
    fc.assert(
      fc.property(
        fc.nat(420),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 8 }),
        (loads, publishes, count) => {
          const { region } = newRegion();
          const writer = new RoutesWriter(region, new BindingTable(region));
          const publish = (port: number): void => {
            const backends = Array.from({ length: (count + port) % 9 }, (_, index) => backend(`b${index}`, { port }));
            writer.publish(backends, regionTable({ BR: `region-${port}` }), `region-${port}`);
          };
          publish(1);
          const reader = new RoutesReader(region, 0);
          const later = (): void => {
            for (let port = 2; port < 2 + publishes; port++) publish(port);
          };
          interruptedAfter(loads, later, () => reader.enter());
          const { table } = reader;
          const port = table.port[0] ?? 0;
          const ports = new Set(table.port.subarray(0, table.choosable));
          assert.ok(ports.size <= 1);
          if (ports.size === 1) assert.equal(table.choosable, (count + port) % 9);
          assert.equal(table.popRegion, table.regionOf(1 * 26 + 17));
        },
      ),
      { numRuns: 400 },
    );
  });
});
