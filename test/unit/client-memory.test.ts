import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { ClientKey } from '../../src/domain/shared/client-key.js';
import { canCarry, carryBindings, carryRates } from '../../src/domain/shared/client-memory.js';
import { initialiseRegion, regionBytes, type ControlRegion } from '../../src/domain/shared/control-region.js';
import { RATE_WAYS, RATE_WORDS } from '../../src/domain/shared/layout.js';

const SEEDS = [1, 2, 3, 4] as const;
const TTL = 60;
const NOW = 1000;
const CLIENTS = 200;
const BACKENDS = 16;

function regionWith(bindingSets: number, rateSets = 4): ControlRegion {
  const capacity = { workers: 1, backends: BACKENDS, bindingSets, rateSets, clientSets: 1 };
  return initialiseRegion(new SharedArrayBuffer(regionBytes(capacity)), capacity, SEEDS);
}

function keyOf(region: ControlRegion, client: number): ClientKey {
  const key = new ClientKey(region.seeds());
  key.assign(0, 0, 0, 0xffff, 0x0a000000 + client);
  return key;
}

/** Clients bound in turn to the backends, all of which live until NOW + TTL. */
function bound(region: ControlRegion, clients = CLIENTS): BindingTable {
  const table = new BindingTable(region);
  for (let client = 0; client < clients; client++) table.insert(keyOf(region, client), client % BACKENDS, NOW, TTL);
  return table;
}

/** Where each client goes, -1 where it is not bound. */
function slotsIn(region: ControlRegion, clients = CLIENTS): number[] {
  const table = new BindingTable(region);
  return Array.from({ length: clients }, (_, client) => table.find(keyOf(region, client), NOW, TTL));
}

const SAME = Int32Array.from({ length: BACKENDS }, (_, slot) => slot);

describe('what is remembered of clients', () => {
  it('is found again by each of them, under the slots that their backends have now', () => {
    const from = regionWith(256);
    bound(from);
    const to = regionWith(256);
    const moved = SAME.map((slot) => BACKENDS - 1 - slot);
    assert.equal(carryBindings(from, to, moved, NOW), CLIENTS);
    assert.deepEqual(
      slotsIn(to),
      slotsIn(from).map((slot) => BACKENDS - 1 - slot),
    );
  });

  it('is forgotten for backends that are gone, and for bindings that have expired', () => {
    const from = regionWith(256);
    const table = bound(from);
    table.insert(keyOf(from, 1), 1, NOW - TTL, TTL);
    const to = regionWith(256);
    const gone = SAME.map((slot) => (slot === 2 ? -1 : slot));
    carryBindings(from, to, gone, NOW);
    const expected = slotsIn(from).map((slot, client) => (slot === 2 || client === 1 ? -1 : slot));
    assert.deepEqual(slotsIn(to), expected);
  });

  it('fits into a smaller table as far as there is room, the longest-lived first, and not into a larger one', () => {
    const from = regionWith(64);
    const table = bound(from, 64);
    const to = regionWith(2);
    for (let client = 0; client < 8; client++) table.insert(keyOf(from, client), 5, NOW + 10, TTL);
    assert.ok(canCarry(from, 2));
    assert.equal(canCarry(from, 128), false);
    carryBindings(from, to, SAME, NOW);
    assert.deepEqual(slotsIn(to, 8), Array(8).fill(5));
    const found = slotsIn(to, 64);
    assert.equal(found.filter((slot) => slot >= 0).length, 16, 'two sets of eight are full');
    for (const [client, slot] of found.entries()) if (slot >= 0 && client >= 8) assert.equal(slot, client % BACKENDS);
  });

  it('is what was there at the last time, where it is carried twice', () => {
    const from = regionWith(16);
    bound(from, 20);
    const to = regionWith(16);
    carryBindings(from, to, SAME, NOW);
    new BindingTable(from).purgeSlots(Uint8Array.from({ length: BACKENDS }, () => 1));
    assert.equal(carryBindings(from, to, SAME, NOW), 0);
    assert.deepEqual(slotsIn(to, 20), Array(20).fill(-1));
  });

  it('has the rate limits in it where there are as many', () => {
    const words = 4 * RATE_WAYS * RATE_WORDS;
    const from = regionWith(1, 4);
    from.words.fill(7, from.offsets.rates, from.offsets.rates + words);
    const [same, other] = [regionWith(1, 4), regionWith(1, 8)];
    for (const to of [same, other]) carryRates(from, to);
    assert.deepEqual(
      same.words.subarray(same.offsets.rates, same.offsets.rates + words),
      from.words.subarray(from.offsets.rates, from.offsets.rates + words),
    );
    assert.ok(other.words.subarray(other.offsets.rates, other.offsets.clients).every((word) => word === 0));
  });
});
