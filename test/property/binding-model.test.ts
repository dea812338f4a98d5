import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientKey } from '../../src/domain/shared/client-key.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BINDING_WAYS } from '../../src/domain/shared/layout.js';
import { crashBefore } from '../support/crash-point.js';
import { fc } from '../support/fast-check.js';
import { newRegion } from '../support/routing-rig.js';

const TTL = 50;

type Step =
  | { readonly kind: 'visit'; readonly client: number; readonly slot: number }
  | { readonly kind: 'wait'; readonly secs: number }
  | { readonly kind: 'purge'; readonly slot: number }
  | { readonly kind: 'sweep' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('visit' as const), client: fc.nat(BINDING_WAYS - 1), slot: fc.nat(5) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), secs: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), slot: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
);

function keyOf(region: ControlRegion, client: number): ClientKey {
  const key = new ClientKey(region.seeds());
  key.assign(client % 3, 0, 0, 0xffff, client);
  return key;
}

describe('binding table against a map', () => {
  it('agrees with it as long as a set has room for all', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer(), (steps, start) => {
        const { region } = newRegion({ bindingSets: 1 });
        const table = new BindingTable(region);
        const model = new Map<number, { slot: number; age: number }>();
        let now = start;
        for (const it of steps) {
          if (it.kind === 'wait') {
            now = (now + it.secs) | 0;
            for (const bound of model.values()) bound.age += it.secs;
          } else if (it.kind === 'purge') {
            table.purgeSlots(Uint8Array.from({ length: 6 }, (_, slot) => (slot === it.slot ? 1 : 0)));
            for (const [client, { slot }] of model) if (slot === it.slot) model.delete(client);
          } else if (it.kind === 'sweep') {
            const live = [...model.values()].filter(({ age }) => age < TTL).length;
            assert.equal(table.sweep(now), live);
          } else {
            const bound = model.get(it.client);
            const expected = bound !== undefined && bound.age < TTL ? bound.slot : -1;
            assert.equal(table.find(keyOf(region, it.client), now, TTL), expected);
            if (expected < 0) table.insert(keyOf(region, it.client), it.slot, now, TTL);
            model.set(it.client, { slot: expected < 0 ? it.slot : expected, age: 0 });
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it('never shows a client a slot that it was not bound to, however full it is', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), fc.nat(60)), { maxLength: 300 }), (visits) => {
        const { region } = newRegion({ bindingSets: 2 });
        const table = new BindingTable(region);
        const last = new Map<number, number>();
        for (const [client, slot] of visits) {
          const found = table.find(keyOf(region, client), 7, TTL);
          if (found >= 0) assert.equal(found, last.get(client));
          table.insert(keyOf(region, client), slot, 7, TTL);
          last.set(client, slot);
          assert.equal(table.find(keyOf(region, client), 7, TTL), slot);
        }
        assert.ok(table.sweep(7) <= 2 * BINDING_WAYS);
      }),
    );
  });

  it('survives a writer killed between any two stores: the entry is whole, or nobody has it', () => {
    const writes = fc.array(fc.tuple(fc.nat(30), fc.nat(60), fc.nat(5)), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(writes, (visits) => {
        const { region } = newRegion({ bindingSets: 1 });
        const table = new BindingTable(region);
        const given = new Map<number, Set<number>>();
        for (const [client, slot, steps] of visits) {
          crashBefore(steps, () => table.insert(keyOf(region, client), slot, 7, TTL));
          given.set(client, (given.get(client) ?? new Set()).add(slot));
          for (const [other, slots] of given) {
            const found = table.find(keyOf(region, other), 7, TTL);
            assert.ok(found < 0 || slots.has(found), `client ${other} got ${found}`);
          }
        }
        // Nothing is stuck: whoever comes next is bound.
        table.insert(keyOf(region, 99), 5, 8, TTL);
        assert.equal(table.find(keyOf(region, 99), 8, TTL), 5);
      }),
    );
  });

  it('finds something or nothing in memory full of anything, and recovers', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 32, maxLength: 32 }), fc.integer(), (words, now) => {
        const { region } = newRegion({ bindingSets: 1 });
        region.words.set(words, region.offsets.bindings);
        const table = new BindingTable(region);
        const found = table.find(keyOf(region, 1), now, TTL);
        assert.ok(found >= -1 && found < 65_535);
        table.insert(keyOf(region, 1), 3, now, TTL);
        assert.equal(table.find(keyOf(region, 1), now, TTL), 3);
      }),
    );
  });
});
