import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BindingSweep } from '../../src/cluster/binding-sweep.js';
import { ClientKey } from '../../src/domain/shared/client-key.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { BINDING, BINDING_WAYS, BINDING_WORDS } from '../../src/domain/shared/layout.js';
import { eventually } from '../support/eventually.js';
import { newRegion } from '../support/routing-rig.js';

it('a sweep clears the whole table, slice by slice, and keeps what is alive', { timeout: 300_000 }, async (t) => {
  const { region } = newRegion({ bindingSets: 8192 });
  const table = new BindingTable(region);
  const key = new ClientKey(region.seeds());
  for (let client = 0; client < 20_000; client++) {
    key.assign(0, 0, 0, 0xffff, client);
    table.insert(key, 1, 100, client % 2 === 0 ? 10 : 1000);
  }
  const entries = 8192 * BINDING_WAYS;
  const used = (): number => {
    let count = 0;
    for (let entry = 0; entry < entries; entry++) {
      const at = region.offsets.bindings + entry * BINDING_WORDS;
      if (Atomics.load(region.words, at + BINDING.VALUE) !== 0) count++;
    }
    return count;
  };
  const before = used();
  const alive = table.sweep(0);
  assert.equal(alive, before, 'all are alive at first');
  const expected = (() => {
    let count = 0;
    for (let client = 1; client < 20_000; client += 2) {
      key.assign(0, 0, 0, 0xffff, client);
      if (table.find(key, 100, 1000) >= 0) count++;
    }
    return count;
  })();

  const sweep = new BindingSweep(table, 1, () => 500);
  t.after(() => sweep.stop());
  await eventually('only the living are left', () => used() === expected);
});
