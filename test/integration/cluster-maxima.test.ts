/** The most connections of all workers and of each listener: clients beyond them wait in the queue, and nobody is reset. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually, within } from '../support/eventually.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { cpuSecsPerSec } from '../support/process-limits.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 3;
const MOST = 10;
const WAITING = 15;
/** A process that spins uses a whole second; at rest, looking for a place now and then, they use some milliseconds. */
const MOST_CPU_SECS_PER_SEC = 0.4;

async function startEcho(owner: Owner, options: ProxyOptions): Promise<ProxyProcess> {
  const backend = await startBackend(owner, echo);
  return startProxy(owner, { backends: [{ port: backend.port }], workers: WORKERS, ...options });
}

/** Connected, as far as the kernel is concerned, and with something to say. */
async function come(
  owner: Owner,
  to: { readonly address: string; readonly port: number },
  count: number,
): Promise<Peer[]> {
  const peers = await Promise.all(Array.from({ length: count }, () => connectPeer(owner, to)));
  for (const peer of peers) await peer.write('hello');
  return peers;
}

async function served(peer: Peer): Promise<Peer> {
  assert.equal(String(await peer.read(5)), 'hello');
  return peer;
}

/** One after the other they get their turn: who is served leaves. */
async function serveInTurn(peers: readonly Peer[]): Promise<void> {
  const turns = peers.map(async (peer) => (await served(peer)).close());
  await within('everybody is served', Promise.all(turns));
}

function atListener(proxy: ProxyProcess, listener: number): number {
  return proxy.counters.atListener(listener);
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`MAX_CONNECTIONS_TOTAL, ${accept}`, TIME_LIMIT, () => {
    it('is never exceeded; those beyond it wait without load, and all are served in the end', async (t) => {
      const proxy = await startEcho(t, { accept, env: { EDGEPROXY_MAX_CONNECTIONS_TOTAL: String(MOST) } });
      const peers = await come(t, proxy, MOST + WAITING);
      await eventually('all places are taken', () => proxy.counters.total('ACCEPTED') === MOST);
      const used = await cpuSecsPerSec(proxy.pids);
      assert.ok(used < MOST_CPU_SECS_PER_SEC, `the proxy uses ${used} s of CPU per second while clients wait`);
      assert.equal(proxy.counters.total('ACCEPTED'), MOST);
      await serveInTurn(peers);
      await eventually('all have left', () => proxy.counters.gauges('ACTIVE') === 0 && atListener(proxy, 0) === 0);
      assert.equal(proxy.counters.total('ACCEPTED'), MOST + WAITING);
    });

    it('has its places back when a worker is killed', async (t) => {
      const proxy = await startEcho(t, { accept, env: { EDGEPROXY_MAX_CONNECTIONS_TOTAL: String(MOST) } });
      const peers = await come(t, proxy, MOST);
      await Promise.all(peers.map(served));
      const waiting = await come(t, proxy, WAITING);
      process.kill(proxy.workerPids[0] ?? 0, 'SIGKILL');
      for (const peer of peers) peer.close();
      await serveInTurn(waiting);
      await eventually('all have left', () => proxy.counters.gauges('ACTIVE') === 0 && atListener(proxy, 0) === 0);
    });
  });

  describe(`MAX_CONNECTIONS_PER_LISTENER, ${accept}`, TIME_LIMIT, () => {
    it('lets the clients of a full listener wait, and those of another one in', async (t) => {
      const proxy = await startEcho(t, {
        accept,
        listen: '127.0.0.1:0,127.0.0.1:0',
        env: { EDGEPROXY_MAX_CONNECTIONS_PER_LISTENER: String(MOST) },
      });
      const [full, other] = proxy.listen;
      assert.ok(full && other);
      const peers = await come(t, full, MOST + WAITING);
      await eventually('all places are taken', () => proxy.counters.total('ACCEPTED') === MOST);
      await Promise.all((await come(t, other, MOST)).map(served));
      assert.deepEqual([atListener(proxy, 0), atListener(proxy, 1)], [MOST, MOST]);
      const used = await cpuSecsPerSec(proxy.pids);
      assert.ok(used < MOST_CPU_SECS_PER_SEC, `the proxy uses ${used} s of CPU per second while clients wait`);
      await serveInTurn(peers);
      await eventually('all of the first have left', () => atListener(proxy, 0) === 0);
      assert.equal(atListener(proxy, 1), MOST);
    });
  });
}
