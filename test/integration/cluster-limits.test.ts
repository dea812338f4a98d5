/** Limits give back-pressure: who finds no room waits in the queue of the listener, and nothing spins meanwhile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually, within } from '../support/eventually.js';
import { connectPeer, endingOfClient } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { isRunning } from '../support/process-facts.js';
import { cpuSecsPerSec, setFileLimit } from '../support/process-limits.js';
import { spawnProxy, startProxy } from '../support/proxy-process.js';
import type { ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const PER_WORKER = 4;
const WAITING = 10;
/** A process that spins uses a whole second; at rest they all together use a few milliseconds. */
const MOST_CPU_SECS_PER_SEC = 0.4;
/** RLIMIT_NOFILE that leaves room for a few clients only. */
const LOW_FILE_LIMITS = [96, 128];
/** Below what is open already: nothing more can be opened. With 0, poll(2) itself would fail. */
const EXHAUSTED = 8;
const PLENTY = 1000;

async function startEcho(owner: Owner, options: ProxyOptions): Promise<ProxyProcess> {
  const backend = await startBackend(owner, echo);
  return startProxy(owner, { backends: [{ port: backend.port }], ...options });
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

async function establish(owner: Owner, proxy: ProxyProcess, count: number): Promise<Peer[]> {
  const peers = await connectAll(owner, proxy, count);
  await Promise.all(peers.map((peer) => assertEchoes(peer, 'hello')));
  return peers;
}

function connectAll(owner: Owner, proxy: ProxyProcess, count: number): Promise<Peer[]> {
  return Promise.all(Array.from({ length: count }, () => connectPeer(owner, proxy)));
}

async function assertAtRest(proxy: ProxyProcess): Promise<void> {
  const used = await cpuSecsPerSec(proxy.pids);
  assert.ok(used < MOST_CPU_SECS_PER_SEC, `the proxy uses ${used} s of CPU per second while it waits`);
}

const modes = [
  { accept: 'handoff', workers: 2 },
  // The kernel chooses the worker by the client's port: with one, it is known who is full.
  { accept: 'reuseport', workers: 1 },
] as const;

for (const { accept, workers } of modes) {
  describe(`MAX_CONNECTIONS, ${accept}`, TIME_LIMIT, () => {
    it('lets those beyond it wait, serves them as others leave, and resets nobody', async (t) => {
      const env = { EDGEPROXY_MAX_CONNECTIONS: String(PER_WORKER) };
      const proxy = await startEcho(t, { accept, workers, env });
      const room = PER_WORKER * workers;
      const first = await establish(t, proxy, room);
      const waiting = await connectAll(t, proxy, WAITING);
      for (const peer of waiting) await peer.write('hello');
      await assertAtRest(proxy);
      assert.equal(proxy.counters.total('ACCEPTED'), room);
      assert.equal(proxy.counters.gauges('ACTIVE'), room);

      const outcomes = waiting.map((peer) => servedOf(peer));
      first[0]?.close();
      await within('one of them is served', Promise.race(outcomes));
      assert.equal(proxy.counters.total('ACCEPTED'), room + 1);
      for (const peer of first) peer.close();
      await Promise.all(outcomes.map(async (outcome) => (await outcome).close()));
      assert.equal(proxy.counters.total('ACCEPTED'), room + WAITING);
      await eventually('all have left', () => proxy.counters.gauges('ACTIVE') === 0);
      assert.equal(proxy.counters.ended('client_reset'), 0);
    });
  });

  describe(`no descriptor left, ${accept}`, TIME_LIMIT, () => {
    for (const limit of LOW_FILE_LIMITS) {
      it(`serves many clients in turn with RLIMIT_NOFILE ${limit}`, async (t) => {
        const proxy = await startEcho(t, { accept, workers, prefix: ['prlimit', `--nofile=${limit}:${limit}`, '--'] });
        const { pids } = proxy;
        const clients = Array.from({ length: 300 }, async () => {
          const peer = await connectPeer(t, proxy);
          await assertEchoes(peer, 'hello');
          peer.close();
        });
        await Promise.all(clients);
        const kept = await connectAll(t, proxy, 200);
        await assertAtRest(proxy);
        for (const peer of kept) peer.close();
        await eventually('all have left', () => proxy.counters.gauges('ACTIVE') === 0);
        await establish(t, proxy, 4);
        assert.deepEqual(proxy.pids, pids);
        assert.equal(proxy.counters.rejected('no_descriptors'), 0);
        assert.ok(proxy.log.lines.some(({ msg }) => String(msg).startsWith('RLIMIT_NOFILE is too low')));
      });
    }

    it('pauses a worker that cannot open any more, and goes on when it can', async (t) => {
      // One that sheds new clients before that does not get there.
      const env = { EDGEPROXY_OVERLOAD_DESCRIPTORS_PERCENT: '0' };
      const proxy = await startEcho(t, { accept, workers, env });
      const { pids } = proxy;
      const [steady] = await establish(t, proxy, 1);
      assert.ok(steady);
      for (const pid of proxy.workerPids) setFileLimit(pid, EXHAUSTED);
      const hapless = accept === 'reuseport' ? await connectAll(t, proxy, WAITING) : [];
      for (const peer of hapless) await peer.write('hello');
      if (accept === 'handoff') {
        // Their sockets are lost on the way into the worker: the kernel closes them, maybe before the connect is seen here.
        await Promise.all(Array.from({ length: WAITING }, () => endingOfClient(t, proxy)));
        const rejected = (): number => proxy.counters.rejected('no_descriptors');
        await eventually('all of them are counted', () => rejected() === WAITING, { state: rejected });
      }
      await assertAtRest(proxy);
      await assertEchoes(steady, 'still here');
      for (const pid of proxy.workerPids) setFileLimit(pid, PLENTY);
      await Promise.all(hapless.map((peer) => servedOf(peer)));
      await establish(t, proxy, 4);
      assert.deepEqual(proxy.pids, pids);
    });

    it('pauses a primary that cannot open any more, and goes on when it can', async (t) => {
      const proxy = await startEcho(t, { accept, workers });
      const { pids } = proxy;
      const [steady] = await establish(t, proxy, 1);
      assert.ok(steady);
      setFileLimit(proxy.pid, EXHAUSTED);
      const waiting = await connectAll(t, proxy, WAITING);
      await assertAtRest(proxy);
      await assertEchoes(steady, 'still here');
      if (accept === 'handoff') assert.equal(proxy.counters.total('ACCEPTED'), 1);
      setFileLimit(proxy.pid, PLENTY);
      await Promise.all(waiting.map((peer) => assertEchoes(peer, 'served')));
      assert.deepEqual(proxy.pids, pids);
    });
  });
}

describe('a worker that dies while the primary can open nothing', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`is missed by nobody, and has a successor as soon as that can be, ${accept}`, async (t) => {
      const proxy = await startEcho(t, { accept });
      const [victim = 0, survivor = 0] = proxy.workerPids;
      setFileLimit(proxy.pid, EXHAUSTED);
      process.kill(victim, 'SIGKILL');
      await proxy.waitForLog(({ msg, worker }) => msg === 'worker cannot be started' && worker === 0);
      assert.deepEqual([isRunning(proxy.pid), isRunning(survivor)], [true, true]);
      const waiting = await connectAll(t, proxy, WAITING);
      setFileLimit(proxy.pid, PLENTY);
      await Promise.all(waiting.map((peer) => assertEchoes(peer, 'served')));
      const isBack = (): boolean => proxy.workerPids[0] !== victim && isRunning(proxy.workerPids[0] ?? 0);
      await eventually('a successor takes clients', isBack);
      await establish(t, proxy, WAITING);
    });
  }
});

async function servedOf(peer: Peer): Promise<Peer> {
  assert.equal(String(await peer.read(5)), 'hello');
  return peer;
}

describe('a start that cannot be', TIME_LIMIT, () => {
  const tooLow = [
    { limit: 64, workers: 2, reason: 'a single connection' },
    { limit: 96, workers: 20, reason: '20 workers, which need 150' },
  ];
  for (const { limit, workers, reason } of tooLow) {
    it(`says so where RLIMIT_NOFILE ${limit} is too low for ${reason}, and exits with 2`, async (t) => {
      const prefix = ['prlimit', `--nofile=${limit}:${limit}`, '--'];
      const proxy = await spawnProxy(t, { backends: [], workers, prefix });
      assert.deepEqual(await within('the proxy ends', proxy.exit), { code: 2, signal: null });
      const errors = proxy.log.lines.filter(({ level }) => level === 'error');
      const message = `RLIMIT_NOFILE is ${limit}: too low for ${reason}.`;
      assert.deepEqual(
        errors.map(({ code, msg }) => [code, msg]),
        [['EP_FILE_LIMIT', message]],
      );
    });
  }

  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`names the address that is taken and exits with 2, ${accept}`, async (t) => {
      const squatter = createServer().listen(0, '127.0.0.1');
      t.after(() => squatter.close());
      await once(squatter, 'listening');
      const address = `127.0.0.1:${(squatter.address() as AddressInfo).port}`;
      const proxy = await spawnProxy(t, { accept, backends: [], listen: `127.0.0.1:0,${address}` });
      const { pids } = proxy;
      assert.deepEqual(await within('the proxy ends', proxy.exit), { code: 2, signal: null });
      const errors = proxy.log.lines.filter(({ level }) => level === 'error');
      assert.equal(errors.length, 1);
      const { code, msg } = errors[0] ?? {};
      assert.equal(code, 'EP_LISTEN');
      assert.match(String(msg), new RegExp(`^Cannot listen on ${address}: \\w+ failed with EADDRINUSE`));
      assert.equal(pids.some(isRunning), false);
    });
  }
});
