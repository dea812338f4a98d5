/** SIGKILL of workers under load: who loses his connection, who does not, and what the counters say afterwards. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer, PULL_EACH_CHUNK } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { childPids } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { ShortClients } from '../support/short-clients.js';
import { clientPortsHeldBy } from '../support/socket-owners.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 3;
const LONG = 30;
/** Clients that connect while the worker is stopped: those meant for it are accepted by nobody. */
const WAITING = 30;
const DEATHS_IN_A_ROW = 5;

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

async function establish(owner: Owner, proxy: ProxyProcess, count: number): Promise<Peer[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const peer = await connectPeer(owner, proxy);
      await assertEchoes(peer, 'hello');
      return peer;
    }),
  );
}

async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await eventually('the worker is stopped', () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
}

/** Resolves with the pid of the worker that has taken the place of `deadPid`. */
async function successorOf(proxy: ProxyProcess, index: number, deadPid: number): Promise<number> {
  return eventually('a successor takes clients', () => {
    const pid = proxy.workerPids[index] ?? 0;
    return pid !== deadPid && pid;
  });
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`the death of a worker, ${accept}`, TIME_LIMIT, () => {
    it('breaks the connections that it had accepted and no others', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, workers: WORKERS, backends: [{ port: backend.port }] });
      const slot = proxy.counters.slotOf(backend.port);
      const givenBackMs: number[] = [];
      for (let index = 0; index < WORKERS; index++) {
        const long = await establish(t, proxy, LONG);
        const short = new ShortClients(t, proxy);
        await eventually('short connections are served', () => short.served > 100);
        const victim = proxy.workerPids[index] ?? 0;
        await stopProcess(victim);
        const waiting = await Promise.all(Array.from({ length: WAITING }, () => connectPeer(t, proxy)));
        const held = clientPortsHeldBy(victim, proxy.port);
        const isHeld = (peer: Peer): boolean => held.has(peer.localPort);
        assert.equal(waiting.filter(isHeld).length, 0, 'a stopped worker cannot have accepted these');
        const broken = long.filter(isHeld);
        const steady = long.filter((peer) => !isHeld(peer));
        assert.ok(broken.length > 0, 'none of the long connections was with this worker');

        process.kill(victim, 'SIGKILL');
        const killedAt = performance.now();
        await eventually('its share is given back', () => proxy.counters.share(index, slot) === 0);
        givenBackMs.push(performance.now() - killedAt);
        // Those that the dead one never saw are served by the others or by the successor.
        await Promise.all(waiting.map((peer) => assertEchoes(peer, 'served')));
        const endings = await Promise.all(broken.map((peer) => peer.ending()));
        assert.deepEqual(new Set(endings), new Set(['ECONNRESET']));
        await Promise.all(steady.map((peer) => assertEchoes(peer, 'still here')));

        await successorOf(proxy, index, victim);
        const servedBefore = short.served;
        await eventually('short connections go on', () => short.served > servedBefore + 100);
        await short.stop();
        assert.deepEqual(short.refusals, []);
        assert.deepEqual(
          short.brokenPorts.filter((port) => !held.has(port)),
          [],
        );
        for (const peer of [...long, ...waiting]) peer.close();
        await eventually('all places are given back', () => proxy.counters.active(slot) === 0, {
          state: () => proxy.counters.held(1),
        });
      }
      t.diagnostic(`given back after ${givenBackMs.join(', ')} ms`);
      await eventually('nothing is counted any more', () => proxy.counters.gauges('ACTIVE') === 0);
      assert.deepEqual(proxy.counters.held(1), { active: 0, shares: 0, connections: 0 });
    });

    it('is a reset for both sides, whatever they have said and read: nobody takes a cut stream for one that has ended', async (t) => {
      const backend = await startBackend(t);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }] });
      const pairs: { client: Peer; upstream: Peer; hasEnded: boolean }[] = [];
      for (let i = 0; i < LONG; i++) {
        const client = await connectPeer(t, proxy, PULL_EACH_CHUNK);
        const upstream = await backend.nextPeer();
        await client.write('question');
        assert.equal(String(await upstream.read(8)), 'question');
        const hasEnded = i % 3 === 0;
        if (hasEnded) {
          await client.end();
          assert.equal(await upstream.ending(), 'end');
        }
        await upstream.write('half of the');
        assert.equal(String(await client.read(11)), 'half of the');
        pairs.push({ client, upstream, hasEnded });
      }
      for (const pid of proxy.workerPids) process.kill(pid, 'SIGKILL');
      for (const { client, upstream, hasEnded } of pairs) {
        assert.equal(await client.ending(), 'ECONNRESET');
        if (!hasEnded) assert.equal(await upstream.ending(), 'ECONNRESET');
      }
    });

    it('leaves its place to a successor that serves', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }] });
      const [victim = 0] = proxy.workerPids;
      process.kill(victim, 'SIGKILL');
      const successor = await successorOf(proxy, 0, victim);
      const peers = await establish(t, proxy, LONG);
      const held = clientPortsHeldBy(successor, proxy.port);
      assert.ok(peers.some((peer) => held.has(peer.localPort)));
    });

    it('keeps clients waiting, not refused, while every worker is dead', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }] });
      for (const pid of proxy.workerPids) process.kill(pid, 'SIGKILL');
      const peers = await Promise.all(Array.from({ length: WAITING }, () => connectPeer(t, proxy)));
      await Promise.all(peers.map((peer) => assertEchoes(peer, 'served')));
    });

    it('again and again makes its successors wait longer, while the others serve', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }] });
      let pid = proxy.workerPids[0] ?? 0;
      const survivor = proxy.workerPids[1] ?? 0;
      const peers = await establish(t, proxy, LONG);
      const held = clientPortsHeldBy(survivor, proxy.port);
      const steady = peers.find((peer) => held.has(peer.localPort));
      assert.ok(steady, 'no connection is with the other worker');
      for (let death = 0; death < DEATHS_IN_A_ROW; death++) {
        process.kill(pid, 'SIGKILL');
        await assertEchoes(steady, 'steady');
        await establish(t, proxy, 5);
        pid = await successorOf(proxy, 0, pid);
      }
      const delays = proxy.log.lines.map(({ delayMs }) => delayMs).filter((delayMs) => typeof delayMs === 'number');
      assert.equal(delays.length, DEATHS_IN_A_ROW - 1, 'the first death is no reason to wait');
      for (const [index, delayMs] of delays.entries()) {
        const fullMs = 100 * 2 ** index;
        assert.ok(delayMs >= 0.8 * fullMs && delayMs <= fullMs, `delay ${delayMs} ms instead of about ${fullMs} ms`);
      }
      assert.equal(proxy.workerPids[1], survivor);
      const died = proxy.log.lines.filter(({ msg }) => msg === 'worker died');
      assert.deepEqual(
        died.map(({ worker, signal }) => [worker, signal]),
        died.map(() => [0, 'SIGKILL']),
      );
    });

    it('before it has taken a single client is survived, too', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }] });
      const [victim = 0] = proxy.workerPids;
      process.kill(victim, 'SIGKILL');
      const young = await eventually('a successor is forked', () =>
        childPids(proxy.pid).find((pid) => !proxy.workerPids.includes(pid)),
      );
      process.kill(young, 'SIGKILL');
      await establish(t, proxy, LONG);
      await successorOf(proxy, 0, victim);
      await establish(t, proxy, LONG);
    });
  });
}
