/** What the pool costs a backend that wants no warm connections, or to which no clients are sent any more. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend, type Behaviour, type TcpBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const CLIENTS = 150;

interface World {
  readonly proxy: ProxyProcess;
  readonly backend: TcpBackend;
}

async function startPooled(owner: Owner, behaviour?: Behaviour): Promise<World> {
  const backend = await startBackend(owner, behaviour);
  const env = {
    EDGEPROXY_POOL_ENABLED: 'on',
    EDGEPROXY_POOL_MAX_PER_BACKEND: '8',
    EDGEPROXY_BINDING_TTL_SECS: '0',
    EDGEPROXY_DB_RELOAD_SECS: '600',
  };
  return { proxy: await startProxy(owner, { workers: 1, backends: [{ port: backend.port }], env }), backend };
}

describe('a backend that closes each connection 20 ms after it came', TIME_LIMIT, () => {
  it('has hardly more connections than clients', async (t) => {
    const { proxy, backend } = await startPooled(t, ({ socket }) => void setTimeout(() => socket.end(), 20));
    for (let i = 0; i < CLIENTS; i++) {
      const client = await connectPeer(t, proxy);
      await client.readToEnd();
      client.close();
    }
    await eventually('each client is connected', () => backend.peers.length >= CLIENTS);
    const extra = backend.peers.length - CLIENTS;
    // One per rest: nine of them last 51 s. And two or three before the first failure was seen.
    assert.ok(extra >= 1 && extra <= 15, `${extra} more connections than clients`);
  });
});

describe('the warm connections of a backend', TIME_LIMIT, () => {
  const changes = {
    drains: { draining: 1 },
    'is marked unhealthy': { healthy: 0 },
    'is removed': { deleted: 1 },
    'gets another address': { wg_ip: '127.0.0.2' },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`end without a client when it ${what}`, async (t) => {
      const { proxy, backend } = await startPooled(t);
      const client = await connectPeer(t, proxy);
      await backend.nextPeer();
      const ahead = await backend.nextPeer();
      client.reset();
      await eventually('the client is gone', () => proxy.counters.gauges('ACTIVE') === 0);
      await eventually('one is warm', () => proxy.counters.gauges('WARM_CONNECTIONS') === 1);
      await edit(proxy, { b0: change });
      assert.equal(await ahead.ending(), 'end');
      await eventually('none is warm', () => proxy.counters.gauges('WARM_CONNECTIONS') === 0);
      assert.equal(backend.peers.length, 2);
    });
  }
});
