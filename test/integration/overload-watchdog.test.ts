/** Workers that stand still (SIGSTOP): who serves their clients, what becomes of their connections, when they are killed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WORKER } from '../../src/domain/shared/layout.js';
import { atRest } from '../support/at-rest.js';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { pause, resume } from '../support/paused-process.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { isRunning } from '../support/process-facts.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { clientPortsHeldBy } from '../support/socket-owners.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const MANY = 30;
const NEVER = { EDGEPROXY_WATCHDOG_SECS: '0' };
const STANDS = 'worker stands still; its clients go to the others';
const MOVES = 'worker moves again';

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

function connectMany(owner: Owner, proxy: ProxyProcess): Promise<Peer[]> {
  return Promise.all(Array.from({ length: MANY }, () => connectPeer(owner, proxy)));
}

async function serveMany(owner: Owner, proxy: ProxyProcess): Promise<Peer[]> {
  const peers = await connectMany(owner, proxy);
  await Promise.all(peers.map((peer) => assertEchoes(peer, 'served')));
  return peers;
}

/** Ports of the worker's clients. The kernel's list is not one moment's: as long as it takes to agree with the counter. */
async function clientsOf(proxy: ProxyProcess, worker: number): Promise<Set<number>> {
  const pid = proxy.workerPids[worker] ?? 0;
  return eventually('the connections of a worker are known', () => {
    const ports = clientPortsHeldBy(pid, proxy.port);
    // Its listening socket.
    ports.delete(0);
    return ports.size === proxy.counters.gauge(worker, 'ACTIVE') && ports;
  });
}

function word({ counters }: ProxyProcess, worker: number, name: 'HEARTBEAT' | 'STALLED' | 'SHEDDING'): number {
  return Atomics.load(counters.region.words, counters.region.workerAt(worker) + WORKER[name]);
}

/** Waits until the worker has beaten so often again. */
async function beats(proxy: ProxyProcess, worker: number, count: number): Promise<void> {
  const before = word(proxy, worker, 'HEARTBEAT');
  await eventually('the worker beats', () => word(proxy, worker, 'HEARTBEAT') - before >= count);
}

function linesOf(proxy: ProxyProcess, msg: string): unknown[] {
  return proxy.log.lines.filter((line) => line['msg'] === msg).map((line) => line['worker']);
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`a worker that stands still, ${accept}`, TIME_LIMIT, () => {
    it('loses its waiting clients to the other one, keeps its connections, and gets clients when it moves', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }], env: NEVER });
      const old = await serveMany(t, proxy);
      const [victim = 0] = proxy.workerPids;
      const held = await clientsOf(proxy, 0);
      assert.ok(
        old.some((peer) => held.has(peer.localPort)),
        'none of the connections is with this worker',
      );

      await pause(t, victim);
      // Some of these are on their way to it, and stay there until it is missed.
      const waiting = await serveMany(t, proxy);
      await proxy.waitForLog(({ msg, worker }) => msg === STANDS && worker === 0);
      const late = await serveMany(t, proxy);
      assert.deepEqual(await clientsOf(proxy, 0), held);
      assert.equal(word(proxy, 0, 'STALLED'), 1);

      resume(victim);
      await proxy.waitForLog(({ msg, worker }) => msg === MOVES && worker === 0);
      assert.equal(word(proxy, 0, 'STALLED'), 0);
      await Promise.all([...old, ...waiting, ...late].map((peer) => assertEchoes(peer, 'still here')));
      const more: Peer[] = [];
      await eventually('it gets clients again', async () => {
        more.push(...(await serveMany(t, proxy)));
        return (await clientsOf(proxy, 0)).size > held.size;
      });
      for (const peer of [...old, ...waiting, ...late, ...more]) peer.close();
      await atRest(proxy, 1);
      assert.deepEqual(linesOf(proxy, 'worker died'), []);
    });

    it('for too long is killed, and its successor serves', async (t) => {
      const backend = await startBackend(t, echo);
      const env = { EDGEPROXY_WATCHDOG_SECS: '3' };
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }], env });
      const old = await serveMany(t, proxy);
      const [victim = 0, other = 0] = proxy.workerPids;
      const held = await clientsOf(proxy, 0);
      const its = old.filter(({ localPort }) => held.has(localPort));
      await pause(t, victim);
      const waiting = await serveMany(t, proxy);
      const others = [...old.filter((peer) => !its.includes(peer)), ...waiting];
      const died = await proxy.waitForLog(({ msg }) => msg === 'worker died');
      assert.deepEqual([died['worker'], died['workerPid'], died['signal']], [0, victim, 'SIGKILL']);
      assert.deepEqual(linesOf(proxy, 'worker stands still for too long: killed'), [0]);

      await Promise.all(its.map((peer) => peer.ending()));
      await Promise.all(others.map((peer) => assertEchoes(peer, 'still here')));
      await eventually('a successor takes clients', () => proxy.workerPids[0] !== victim);
      await beats(proxy, 0, 1);
      assert.deepEqual([word(proxy, 0, 'STALLED'), proxy.workerPids[1]], [0, other]);
      const fresh = await serveMany(t, proxy);
      assert.ok((await clientsOf(proxy, 0)).size > 0);
      for (const peer of [...old, ...waiting, ...fresh]) peer.close();
      await atRest(proxy, 1);
    });

    it('with all others makes clients wait, who are served when one moves', async (t) => {
      const backend = await startBackend(t, echo);
      const env = { ...NEVER, EDGEPROXY_OVERLOAD_LAG_MS: '0' };
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }], env });
      const old = await serveMany(t, proxy);
      for (const pid of proxy.workerPids) await pause(t, pid);
      const early = await connectMany(t, proxy);
      for (const index of [0, 1]) await proxy.waitForLog(({ msg, worker }) => msg === STANDS && worker === index);
      const waiting = [...early, ...(await connectMany(t, proxy))];
      resume(proxy.workerPids[1] ?? 0);
      await Promise.all(waiting.map((peer) => assertEchoes(peer, 'served')));
      resume(proxy.workerPids[0] ?? 0);
      await Promise.all(old.map((peer) => assertEchoes(peer, 'still here')));
      assert.deepEqual(linesOf(proxy, 'worker died'), []);
    });
  });
}

describe('a pause of everything', TIME_LIMIT, () => {
  it('for longer than a worker may stand still is no reason to kill one', async (t) => {
    const backend = await startBackend(t, echo);
    const env = { EDGEPROXY_WATCHDOG_SECS: '2' };
    const proxy = await startProxy(t, { backends: [{ port: backend.port }], env });
    const peers = await serveMany(t, proxy);
    const pids = [...proxy.workerPids];
    for (const pid of [proxy.pid, ...pids]) await pause(t, pid);
    await delay(4000);
    // The watchdog is the first to wake up.
    resume(proxy.pid);
    for (const pid of pids) resume(pid);
    for (const index of pids.keys()) await beats(proxy, index, 10);
    await Promise.all(peers.map((peer) => assertEchoes(peer, 'still here')));
    assert.deepEqual([proxy.workerPids, linesOf(proxy, 'worker died')], [pids, []]);
  });

  it('is survived by the workers where only the primary was stopped', async (t) => {
    const proxy = await startProxy(t, { backends: [{ port: 9 }], env: { EDGEPROXY_WATCHDOG_SECS: '2' } });
    await pause(t, proxy.pid);
    await delay(4000);
    resume(proxy.pid);
    for (const index of proxy.workerPids.keys()) await beats(proxy, index, 10);
    assert.ok(proxy.workerPids.every(isRunning));
    assert.deepEqual(linesOf(proxy, 'worker died'), []);
  });
});

describe('a drain with a worker that stands still', TIME_LIMIT, () => {
  it('ends after the time given to it', async (t) => {
    const backend = await startBackend(t, echo);
    const env = { ...NEVER, EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '1' };
    const proxy = await startProxy(t, { accept: 'reuseport', backends: [{ port: backend.port }], env });
    const [victim = 0] = proxy.workerPids;
    await pause(t, victim);
    await proxy.waitForLog(({ msg }) => msg === STANDS);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    assert.equal(isRunning(victim), false);
  });
});
