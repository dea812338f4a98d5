/** SIGTERM and SIGINT: what is established ends in its own time, what waits is served, nothing new is taken. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually, within } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { childPids, isRunning } from '../support/process-facts.js';
import { spawnProxy, startProxy } from '../support/proxy-process.js';
import type { ProxyExit, ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
/** Longer than any of these tests: nothing may depend on it. */
const NEVER_SECS = '600';
const QUEUED = 50;

async function startEchoProxy(owner: Owner, options: ProxyOptions, timeoutSecs = NEVER_SECS): Promise<ProxyProcess> {
  const backend = await startBackend(owner, echo);
  const env = { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: timeoutSecs };
  return startProxy(owner, { backends: [{ port: backend.port }], env, ...options });
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

function exitOf(proxy: ProxyProcess): Promise<ProxyExit> {
  return within('the proxy ends', proxy.exit);
}

/** A client that is certainly with a worker. */
async function establish(owner: Owner, proxy: ProxyProcess): Promise<Peer> {
  const peer = await connectPeer(owner, proxy);
  await assertEchoes(peer, 'hello');
  return peer;
}

function connectError(proxy: ProxyProcess): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(proxy.port, proxy.address);
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    socket.once('connect', () => {
      socket.destroy();
      resolve('');
    });
  });
}

async function refusesClients(proxy: ProxyProcess): Promise<void> {
  await eventually('new clients are refused', async () => (await connectError(proxy)) === 'ECONNREFUSED');
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`shutdown, ${accept}`, TIME_LIMIT, () => {
    it('refuses new clients, lets established ones go on, and exits with 0 when the last has ended', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      const peers = [await establish(t, proxy), await establish(t, proxy)];
      proxy.signal('SIGTERM');
      await refusesClients(proxy);
      for (const peer of peers) await assertEchoes(peer, 'still here');
      for (const peer of peers) peer.end();
      for (const peer of peers) assert.equal(await peer.ending(), 'end');
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
    });

    it('resets what is left at the time limit and exits with 0', async (t) => {
      const proxy = await startEchoProxy(t, { accept }, '1');
      const peer = await establish(t, proxy);
      assert.equal(proxy.counters.gauges('ACTIVE'), 1);
      proxy.signal('SIGTERM');
      assert.equal(await peer.ending(), 'ECONNRESET');
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
      assert.equal(proxy.counters.ended('shutdown'), 1);
      assert.equal(proxy.counters.gauges('ACTIVE'), 0);
    });

    it('closes now at a second signal', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      const peer = await establish(t, proxy);
      proxy.signal('SIGTERM');
      await refusesClients(proxy);
      proxy.signal('SIGTERM');
      assert.equal(await peer.ending(), 'ECONNRESET');
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
    });

    it('kills a worker that does not answer the last word', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      await establish(t, proxy);
      for (const pid of proxy.workerPids) process.kill(pid, 'SIGSTOP');
      proxy.signal('SIGTERM');
      await proxy.waitForLog(({ msg }) => String(msg).startsWith('draining'));
      proxy.signal('SIGTERM');
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
    });

    it('serves the clients that wait in the queue when the signal comes', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      // Whoever would accept is stopped: every client below is connected by the kernel and accepted by nobody.
      const stopped = accept === 'handoff' ? [proxy.pid] : proxy.workerPids;
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      const peers = await Promise.all(Array.from({ length: QUEUED }, () => connectPeer(t, proxy)));
      proxy.signal('SIGTERM');
      if (accept === 'reuseport') await proxy.waitForLog(({ msg }) => String(msg).startsWith('draining'));
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
      await Promise.all(peers.map((peer) => assertEchoes(peer, 'served')));
      await refusesClients(proxy);
      for (const peer of peers) peer.end();
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
      assert.equal(proxy.log.lines.filter(({ level }) => level === 'error').length, 0);
    });

    it('empties and closes listeners that a worker has been sent but not taken yet', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      const [victim = 0] = proxy.workerPids;
      const before = childPids(proxy.pid);
      process.kill(victim, 'SIGKILL');
      const successor = await eventually('a successor is forked', () =>
        childPids(proxy.pid).find((pid) => !before.includes(pid)),
      );
      await proxy.waitForLog(({ workerPid }) => workerPid === successor);
      // It has been told to take clients; whether it has read its listeners by now is chance.
      process.kill(successor, 'SIGSTOP');
      const peers = await Promise.all(Array.from({ length: QUEUED }, () => connectPeer(t, proxy)));
      proxy.signal('SIGTERM');
      await proxy.waitForLog(({ msg }) => String(msg).startsWith('draining'));
      process.kill(successor, 'SIGCONT');
      await Promise.all(peers.map((peer) => assertEchoes(peer, 'served')));
      await refusesClients(proxy);
      for (const peer of peers) peer.end();
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
    });

    it('takes a signal to the whole process group, as a terminal sends it, like one to the primary', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      const peer = await establish(t, proxy);
      for (const pid of proxy.pids) process.kill(pid, 'SIGINT');
      await refusesClients(proxy);
      await assertEchoes(peer, 'still here');
      peer.end();
      assert.deepEqual(await exitOf(proxy), { code: 0, signal: null });
    });

    it('does not wait for the time limit where a worker is only just starting', async (t) => {
      const proxy = await startEchoProxy(t, { accept });
      const [victim = 0] = proxy.workerPids;
      const before = childPids(proxy.pid);
      process.kill(victim, 'SIGKILL');
      await eventually('a successor is forked', () => childPids(proxy.pid).some((pid) => !before.includes(pid)));
      assert.deepEqual(await proxy.stop('SIGTERM'), { code: 0, signal: null });
    });
  });
}

describe('a signal during the start', TIME_LIMIT, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`ends the proxy cleanly: ${signal}`, async (t) => {
      const proxy = await spawnProxy(t, {
        backends: [],
        workers: 4,
        env: { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: NEVER_SECS },
      });
      await eventually('workers are forked', () => childPids(proxy.pid).length > 0);
      const pids = proxy.pids;
      assert.deepEqual(await proxy.stop(signal), { code: 0, signal: null });
      assert.equal(pids.some(isRunning), false);
    });
  }

  it('is no end of the proxy where it asks for a reload', async (t) => {
    const proxy = await spawnProxy(t, { backends: [] });
    await eventually('workers are forked', () => childPids(proxy.pid).length > 0);
    proxy.signal('SIGHUP');
    await proxy.ready();
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });
});
