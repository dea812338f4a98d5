import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientKey } from '../../src/domain/shared/client-key.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BINDING, BINDING_WAYS, BINDING_WORDS, MAX_BACKENDS } from '../../src/domain/shared/layout.js';
import { crashBefore } from '../support/crash-point.js';
import { newRegion } from '../support/routing-rig.js';

const TTL = 60;

class Clients {
  readonly region: ControlRegion;
  readonly table: BindingTable;

  constructor(bindingSets = 64) {
    this.region = newRegion({ bindingSets }).region;
    this.table = new BindingTable(this.region);
  }

  /** IPv4 client 10.0.0.0 + `host`. */
  key(host: number, listener = 0): ClientKey {
    return this.keyOf([0, 0, 0xffff, 0x0a000000 + host], listener);
  }

  keyOf(words: readonly [number, number, number, number], listener = 0): ClientKey {
    const key = new ClientKey(this.region.seeds());
    key.assign(listener, ...words);
    return key;
  }
}

describe('binding table', () => {
  it('finds a client where another view of the region bound it', () => {
    const clients = new Clients();
    clients.table.insert(clients.key(1), 7, 100, TTL);
    const other = new BindingTable(clients.region);
    assert.equal(other.find(clients.key(1), 100, TTL), 7);
    assert.equal(other.find(clients.key(2), 100, TTL), -1);
  });

  it('holds every slot that a region can have', () => {
    const clients = new Clients();
    for (const slot of [0, 1, 0x7ffe, 0x7fff, 0x8000, MAX_BACKENDS - 1]) {
      clients.table.insert(clients.key(1), slot, 100, TTL);
      assert.equal(clients.table.find(clients.key(1), 100, TTL), slot);
    }
  });

  it('ends a binding after the TTL, and slides it on each visit', () => {
    const clients = new Clients();
    clients.table.insert(clients.key(1), 3, 100, TTL);
    assert.equal(clients.table.find(clients.key(1), 159, TTL), 3);
    assert.equal(clients.table.find(clients.key(1), 218, TTL), 3);
    assert.equal(clients.table.find(clients.key(1), 278, TTL), -1);
  });

  it('counts seconds across their wrap', () => {
    const clients = new Clients();
    clients.table.insert(clients.key(1), 3, 0x7ffffff0, TTL);
    assert.equal(clients.table.find(clients.key(1), -0x7ffffff0, TTL), 3);
    assert.equal(clients.table.find(clients.key(1), -0x7ffffff0 + TTL, TTL), -1);
  });

  it('moves a client to another slot, leaving one binding', () => {
    const clients = new Clients();
    clients.table.insert(clients.key(1), 3, 100, TTL);
    clients.table.insert(clients.key(1), 4, 101, TTL);
    assert.equal(clients.table.find(clients.key(1), 101, TTL), 4);
    assert.equal(clients.table.sweep(101), 1);
  });

  it('keeps listeners apart', () => {
    const clients = new Clients();
    clients.table.insert(clients.key(1, 0), 3, 100, TTL);
    assert.equal(clients.table.find(clients.key(1, 1), 100, TTL), -1);
  });

  it('takes the hosts of an IPv6 /64 for one client, those of IPv4 for several', () => {
    const clients = new Clients();
    clients.table.insert(clients.keyOf([0x20010db8, 5, 1, 1]), 3, 100, TTL);
    assert.equal(clients.table.find(clients.keyOf([0x20010db8, 5, 99, 98]), 100, TTL), 3);
    assert.equal(clients.table.find(clients.keyOf([0x20010db8, 6, 1, 1]), 100, TTL), -1);
    assert.equal(clients.table.find(clients.keyOf([0, 0, 0xffff, 0x0a000001]), 100, TTL), -1);
  });

  it('does not take an IPv4 client for the /64 with the same words', () => {
    const clients = new Clients();
    clients.table.insert(clients.keyOf([0, 0, 0xffff, 0x20010db8]), 3, 100, TTL);
    assert.equal(clients.table.find(clients.keyOf([0x20010db8, 0, 0, 0]), 100, TTL), -1);
  });

  it('spreads clients by the seeds of the region', () => {
    const sets = [[1, 2, 3, 4] as const, [1, 2, 3, 5] as const].map((seeds) => {
      const key = new ClientKey(seeds);
      return Array.from({ length: 64 }, (_, host) => {
        key.assign(0, 0, 0, 0xffff, host);
        return key.set & 0xff;
      });
    });
    assert.notDeepEqual(sets[0], sets[1]);
    // 64 neighbours in 256 sets: 57 different ones are expected, a weak hash leaves a handful.
    for (const numbers of sets) assert.ok(new Set(numbers).size > 45);
  });

  it('evicts the client that was not seen for longest when a set is full', () => {
    const clients = new Clients(1);
    for (let host = 0; host < BINDING_WAYS; host++) clients.table.insert(clients.key(host), host, 100 + host, TTL);
    // Host 0 comes back and is no longer the oldest.
    assert.equal(clients.table.find(clients.key(0), 120, TTL), 0);
    clients.table.insert(clients.key(99), 9, 121, TTL);
    const found = Array.from({ length: BINDING_WAYS }, (_, host) => clients.table.find(clients.key(host), 121, TTL));
    assert.deepEqual(found, [0, -1, 2, 3, 4, 5, 6, 7]);
    assert.equal(clients.table.find(clients.key(99), 121, TTL), 9);
  });

  it('takes an expired entry before it evicts anybody', () => {
    const clients = new Clients(1);
    for (let host = 0; host < BINDING_WAYS; host++)
      clients.table.insert(clients.key(host), host, 100, host === 5 ? 1 : TTL);
    clients.table.insert(clients.key(99), 9, 110, TTL);
    assert.equal(clients.table.sweep(110), BINDING_WAYS);
    assert.equal(clients.table.find(clients.key(5), 110, TTL), -1);
  });

  it('forgets the bindings of purged slots and no others', () => {
    const clients = new Clients();
    for (let host = 0; host < 20; host++) clients.table.insert(clients.key(host), host % 4, 100, TTL);
    clients.table.purgeSlots(Uint8Array.of(0, 1, 0, 1));
    const found = Array.from({ length: 20 }, (_, host) => clients.table.find(clients.key(host), 100, TTL));
    assert.deepEqual(
      found,
      Array.from({ length: 20 }, (_, host) => (host % 2 === 1 ? -1 : host % 4)),
    );
  });

  it('counts the living and clears the expired, in slices too', () => {
    const clients = new Clients();
    for (let host = 0; host < 30; host++) clients.table.insert(clients.key(host), 1, host < 10 ? 100 : 150, TTL);
    const { sets } = clients.table;
    const front = clients.table.sweep(165, 0, sets / 4);
    assert.equal(front + clients.table.sweep(165, sets / 4, sets + 99), 20);
    const { words, offsets } = clients.region;
    const entries = words.subarray(offsets.bindings, offsets.routes[0]);
    assert.equal(entries.filter((word, at) => at % BINDING_WORDS === BINDING.VALUE && word !== 0).length, 20);
  });

  it('takes an entry whose TAG and VALUE are of two clients for nobody', () => {
    const clients = new Clients(1);
    const [one, two] = [clients.key(1), clients.key(2)];
    clients.table.insert(one, 3, 100, TTL);
    Atomics.store(clients.region.words, clients.region.offsets.bindings + BINDING.TAG, two.tag);
    assert.equal(clients.table.find(one, 100, TTL), -1);
    assert.equal(clients.table.find(two, 100, TTL), -1);
    clients.table.insert(two, 4, 100, TTL);
    assert.equal(clients.table.find(two, 100, TTL), 4);
  });

  it('gives nobody the slot of the client before it, even where 16 hash bits are equal and the writer is killed', () => {
    for (let steps = 0; steps < 5; steps++) {
      const clients = new Clients(1);
      const [before, next] = [clients.key(1), clients.key(2)];
      next.check = before.check;
      clients.table.insert(before, 3, 100, 1);
      crashBefore(steps, () => clients.table.insert(next, 4, 101, TTL));
      const found = clients.table.find(next, 101, TTL);
      assert.equal(found, steps < 4 ? -1 : 4);
    }
  });
});
