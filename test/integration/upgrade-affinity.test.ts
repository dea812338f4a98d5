/** Clients come back to their backends across an upgrade, also where the backends' slots have changed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { banner } from '../support/backend-behaviours.js';
import { upgrade } from '../support/generations.js';
import { install } from '../support/installation.js';
import { connectPeer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const IDS = ['one-', 'two-', 'tri-', 'four'];
const ID_CHARS = 4;
const CLIENTS = Array.from({ length: 24 }, (_, client) => `127.0.7.${client + 1}`);

async function startNamed(owner: Owner, main: string): Promise<ProxyProcess> {
  const backends = await Promise.all(
    IDS.map(async (id) => ({ id, port: (await startBackend(owner, banner(id))).port })),
  );
  return startProxy(owner, { backends, main });
}

async function backendsOfClients(owner: Owner, proxy: ProxyProcess): Promise<string[]> {
  return Promise.all(
    CLIENTS.map(async (localAddress) => {
      const peer = await connectPeer(owner, proxy, { localAddress });
      const name = String(await peer.read(ID_CHARS));
      peer.close();
      return name;
    }),
  );
}

describe('affinity across upgrades', TIME_LIMIT, () => {
  it('is kept, also where slots and the size of the table change', async (t) => {
    const installation = await install(t);
    const proxy = await startNamed(t, installation.main);
    const before = await backendsOfClients(t, proxy);
    assert.ok(new Set(before).size > 1, 'the clients are spread');
    // The new version never knew the first backend, so every other one has another slot there.
    await edit(proxy, { [IDS[0] ?? '']: { deleted: 1 } });
    const remaining = before.map((name) => (name === IDS[0] ? null : name));
    installation.beginWith("process.env.EDGEPROXY_MAX_BINDINGS = '4096'");
    for (let generation = 1; generation <= 2; generation++) {
      await upgrade(proxy);
      const now = await backendsOfClients(t, proxy);
      assert.deepEqual(
        now.filter((_, client) => remaining[client] !== null),
        remaining.filter((name) => name !== null),
      );
    }
    const carried = proxy.log.lines.filter(({ msg }) => msg === 'affinity of the old version carried over');
    assert.deepEqual(
      carried.map(({ bindings }) => Number(bindings) > 0),
      [true, true],
    );
  });

  it('starts anew where the table of the new version is larger, and the upgrade succeeds', async (t) => {
    const installation = await install(t);
    const proxy = await startNamed(t, installation.main);
    await backendsOfClients(t, proxy);
    installation.beginWith("process.env.EDGEPROXY_MAX_BINDINGS = '1000000'");
    await upgrade(proxy);
    assert.equal((await backendsOfClients(t, proxy)).length, CLIENTS.length);
  });
});
