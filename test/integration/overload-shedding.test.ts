/** Workers beyond a limit: new clients are reset and counted by reason, established ones never notice. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SHEDDING, WORKER } from '../../src/domain/shared/layout.js';
import { atRest } from '../support/at-rest.js';
import { echo } from '../support/backend-behaviours.js';
import { startConfigured, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { pause, resume } from '../support/paused-process.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { openDescriptors } from '../support/process-facts.js';
import { setFileLimit } from '../support/process-limits.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { clientPortsHeldBy } from '../support/socket-owners.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const PLENTY = 4000;
const HALF = { EDGEPROXY_OVERLOAD_DESCRIPTORS_PERCENT: '50' };
const MANY = 20;
const BEGINS = 'worker is overloaded and rejects new clients';
const ENDS = 'worker is no longer overloaded';
/** What is allowed, and what comes: longer than that and the wait for a beat, shorter than what makes a worker stand still. */
const ALLOWED_LAG_MS = 300;
const LAG_MS = 800;

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

async function established(owner: Owner, proxy: ProxyProcess): Promise<Peer> {
  const peer = await connectPeer(owner, proxy);
  await assertEchoes(peer, 'hello');
  return peer;
}

/** The same where the machine may be too busy to let the loop be on time: as often as it takes. */
function establishedAtLast(owner: Owner, proxy: ProxyProcess): Promise<Peer> {
  return eventually('a client is served', () => established(owner, proxy).catch(() => undefined));
}

/** Waits until exactly these bits are set. */
async function sheds({ counters }: ProxyProcess, worker: number, bits: number): Promise<void> {
  const { words } = counters.region;
  const at = counters.region.workerAt(worker) + WORKER.SHEDDING;
  await eventually(`worker ${worker} sheds ${bits}`, () => Atomics.load(words, at) === bits);
}

/** So that the worker has used more of its descriptors than it may, and some are left to tell new clients with. */
function exhaust(pid: number): void {
  setFileLimit(pid, Math.floor(openDescriptors(pid) * 1.5));
}

/** Ports of the clients that the process holds; a listening socket has 0 there. */
function clientsOf(pid: number, proxy: ProxyProcess): number[] {
  return [...clientPortsHeldBy(pid, proxy.port)].filter((port) => port !== 0);
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`a worker that runs out of descriptors, ${accept}`, TIME_LIMIT, () => {
    it('resets new clients with their reason, goes on with the others, and takes clients when it has more', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, workers: 1, backends: [{ port: backend.port }], env: HALF });
      const { counters } = proxy;
      const old = await established(t, proxy);
      const [pid = 0] = proxy.workerPids;
      exhaust(pid);
      await sheds(proxy, 0, SHEDDING.DESCRIPTORS);
      const begun = await proxy.waitForLog(({ msg }) => msg === BEGINS);
      assert.deepEqual([begun['worker'], begun['reason'], begun['limitPercent']], [0, 'overload_descriptors', 50]);
      for (let client = 1; client <= MANY; client++) {
        assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
        await eventually('it is counted', () => counters.rejected('overload_descriptors') === client);
      }
      await assertEchoes(old, 'both ways');
      setFileLimit(pid, PLENTY);
      const ended = await proxy.waitForLog(({ msg }) => msg === ENDS);
      assert.deepEqual([ended['worker'], ended['reason']], [0, 'overload_descriptors']);
      const fresh = await established(t, proxy);
      await assertEchoes(old, 'still here');
      for (const peer of [old, fresh]) peer.close();
      await atRest(proxy, 1);
      assert.deepEqual([counters.rejected('overload_descriptors'), counters.rejected('no_descriptors')], [MANY, 0]);
    });

    it('leaves its clients to the others, who all serve them; where all run out, all reject', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }], env: HALF });
      const { counters } = proxy;
      const [first = 0, second = 0] = proxy.workerPids;
      exhaust(first);
      await sheds(proxy, 0, SHEDDING.DESCRIPTORS);
      const peers = await Promise.all(Array.from({ length: MANY }, () => established(t, proxy)));
      assert.deepEqual(clientsOf(first, proxy), []);
      assert.equal(counters.rejected('overload_descriptors'), 0);

      exhaust(second);
      await sheds(proxy, 1, SHEDDING.DESCRIPTORS);
      assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
      await eventually('it is counted', () => counters.rejected('overload_descriptors') === 1);
      await Promise.all(peers.map((peer) => assertEchoes(peer, 'still here')));
      for (const pid of [first, second]) setFileLimit(pid, PLENTY);
      for (const index of [0, 1]) await sheds(proxy, index, 0);
      await eventually('both take clients again', async () => {
        peers.push(await established(t, proxy));
        return clientsOf(first, proxy).length > 0;
      });
    });
  });
}

describe('a worker whose loop lags', TIME_LIMIT, () => {
  it('resets who came meanwhile instead of beginning with a burst, and goes on with the others', async (t) => {
    const backend = await startBackend(t, echo);
    const env = { EDGEPROXY_OVERLOAD_LAG_MS: String(ALLOWED_LAG_MS) };
    const proxy = await startProxy(t, { workers: 1, backends: [{ port: backend.port }], env });
    const { counters } = proxy;
    const old = await establishedAtLast(t, proxy);
    const [pid = 0] = proxy.workerPids;
    // Where the machine is so slow that the worker counts as standing still, its clients are kept for it: try again.
    await eventually('new clients are reset', async () => {
      await pause(t, pid);
      const waiting = await Promise.all(Array.from({ length: MANY }, () => connectPeer(t, proxy)));
      const sent = old.write('sent while it stood still');
      await delay(LAG_MS);
      resume(pid);
      await sent;
      assert.equal(String(await old.read(25)), 'sent while it stood still');
      for (const peer of waiting) peer.close();
      await eventually('all of them are gone', () => counters.gauges('ACTIVE') === 1);
      return counters.rejected('overload_lag') >= MANY;
    });
    await assertEchoes(old, 'still here');
    const fresh = await establishedAtLast(t, proxy);
    for (const peer of [old, fresh]) peer.close();
    await atRest(proxy, 1);
  });

  it('takes all clients where lag is not limited', async (t) => {
    const backend = await startBackend(t, echo);
    const env = { EDGEPROXY_OVERLOAD_LAG_MS: '0' };
    const proxy = await startProxy(t, { workers: 1, backends: [{ port: backend.port }], env });
    const [pid = 0] = proxy.workerPids;
    await pause(t, pid);
    const waiting = await Promise.all(Array.from({ length: MANY }, () => connectPeer(t, proxy)));
    await delay(LAG_MS);
    resume(pid);
    await Promise.all(waiting.map((peer) => assertEchoes(peer, 'served')));
    assert.equal(proxy.counters.rejected('overload_lag'), 0);
  });
});

describe('a worker that takes too much memory', TIME_LIMIT, () => {
  const tables = (memoryMb: number): Tables => ({
    server: { tcp_bind: '127.0.0.1:0' },
    logging: { level: 'debug' },
    overload: { memory_mb: memoryMb },
  });

  it('resets new clients with their reason, goes on with the others, and takes clients when it may take more', async (t) => {
    const backend = await startBackend(t, echo);
    const { proxy, file } = await startConfigured(t, tables(0), { backends: [{ port: backend.port }] });
    const old = await established(t, proxy);
    file.write(tables(1));
    proxy.signal('SIGHUP');
    for (const index of [0, 1]) {
      await sheds(proxy, index, SHEDDING.MEMORY);
      const line = await proxy.waitForLog(({ msg, worker }) => msg === BEGINS && worker === index);
      assert.deepEqual([line['reason'], line['limitMb']], ['overload_memory', 1]);
    }
    for (let client = 1; client <= MANY; client++) {
      assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
      await eventually('it is counted', () => proxy.counters.rejected('overload_memory') === client);
    }
    await assertEchoes(old, 'both ways');
    file.write(tables(100_000));
    proxy.signal('SIGHUP');
    for (const index of [0, 1]) await sheds(proxy, index, 0);
    const fresh = await established(t, proxy);
    for (const peer of [old, fresh]) peer.close();
    await atRest(proxy, 1);
  });
});
