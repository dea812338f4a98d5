import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BindingFilter } from '../../src/application/ports/bindings.js';
import { BackendNames } from '../../src/cluster/backend-names.js';
import { BindingDirectory } from '../../src/cluster/binding-directory.js';
import { parseIpAddress } from '../../src/domain/ip-address.js';
import { regionTable } from '../../src/domain/regions.js';
import { Affinity } from '../../src/domain/shared/affinity.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { backend, newRegion } from '../support/routing-rig.js';

const TTL_SECS = 60;
const NOW_SECS = 100;

class Rig {
  readonly region = newRegion({ bindingSets: 4096 }).region;
  readonly slots: readonly number[];
  readonly directory: BindingDirectory;
  readonly #affinity = new Affinity(this.region);
  nowSecs = NOW_SECS;

  constructor() {
    const writer = new RoutesWriter(this.region, new BindingTable(this.region));
    const { published } = writer.publish([backend('b0'), backend('b1')], regionTable(), 'sa');
    this.slots = published.map(({ slot }) => slot);
    const backends = new BackendNames(this.region);
    backends.use(published);
    this.directory = new BindingDirectory({
      region: this.region,
      backends,
      listenerIds: () => [0, 1],
      pools: () => [0, 7],
      nowSecs: () => this.nowSecs,
    });
    this.#affinity.configure(TTL_SECS);
  }

  bind(host: number, place: number, { listener = 0, pool = 0 } = {}): void {
    this.#affinity.use(listener, pool, 0, 0, 0xffff, 0x0a000000 + host);
    this.#affinity.bind(this.slots[place] ?? -1, NOW_SECS);
  }

  async keys(limit: number, filter: BindingFilter = {}): Promise<string[]> {
    const keys: string[] = [];
    for (let from: number | null = 0; from !== null;) {
      const page = await this.directory.list(filter, from, limit);
      assert.ok(page.bindings.length <= limit);
      keys.push(...page.bindings.map(({ key }) => key));
      from = page.next;
    }
    return keys;
  }
}

function client(text: string): Uint32Array {
  const words = parseIpAddress(text);
  assert.ok(words);
  return words;
}

describe('BindingDirectory', () => {
  it('lists each live binding once, whatever the pages are', async () => {
    const rig = new Rig();
    for (let host = 0; host < 500; host++) rig.bind(host, host % 2);
    const all = await rig.keys(1000);
    assert.equal(new Set(all).size, 500);
    for (const limit of [1, 7, 499, 500]) assert.deepEqual(await rig.keys(limit), all);
    assert.equal((await rig.keys(1000, { backend: 'b1' })).length, 250);
    assert.deepEqual(await rig.keys(10, { backend: 'none' }), []);
    rig.nowSecs += TTL_SECS + 1;
    assert.deepEqual(await rig.keys(1000), []);
  });

  it('finds a client at every listener and pool, and leaves its time as it is', async () => {
    const rig = new Rig();
    rig.bind(1, 0);
    rig.bind(1, 1, { listener: 1, pool: 7 });
    rig.bind(2, 0);
    rig.nowSecs += 20;
    const filter = { client: client('10.0.0.1') };
    const { bindings } = await rig.directory.list(filter, 0, 10);
    assert.deepEqual(
      bindings.map((it) => it.backend),
      ['b0', 'b1'],
    );
    assert.deepEqual(
      bindings.map((it) => it.expiresInSecs),
      [41, 41],
    );
    assert.equal((await rig.keys(1, filter)).length, 2);
    assert.equal((await rig.keys(10, { ...filter, backend: 'b1' })).length, 1);
    assert.deepEqual(await rig.keys(10, { client: client('10.0.0.3') }), []);
  });

  it('removes those that are meant, and no others', async () => {
    const rig = new Rig();
    for (let host = 0; host < 100; host++) rig.bind(host, host % 2);
    assert.equal(await rig.directory.remove({ client: client('10.0.0.1'), backend: 'b0' }), 0);
    assert.equal(await rig.directory.remove({ client: client('10.0.0.1') }), 1);
    assert.deepEqual(await rig.keys(10, { client: client('10.0.0.1') }), []);
    assert.equal(await rig.directory.remove({ backend: 'b1' }), 49);
    assert.equal(await rig.directory.remove({ backend: 'none' }), 0);
    assert.equal((await rig.keys(1000)).length, 50);
    assert.equal(await rig.directory.remove({}), 50);
    assert.deepEqual(await rig.keys(1000), []);
  });
});
