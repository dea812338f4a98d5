/** What an upgrade keeps, what it changes, and what it leaves behind: nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { digest, echo } from '../support/backend-behaviours.js';
import { ConnectionLoad } from '../support/connection-load.js';
import { eventually } from '../support/eventually.js';
import { nextLine, settledWorkers, upgrade } from '../support/generations.js';
import { install } from '../support/installation.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { childPids, isRunning, openDescriptors, residentBytes } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import { randomBuffer, sha256 } from '../support/random-bytes.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const NEVER_SECS = '600';
const WORKERS = 2;
const GENERATIONS = 10;
/** Two looks at a number that is to stay the same. */
const SETTLING_MS = 100;

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'utf8');
}

/** What a generation holds, workers included, once it is at rest. */
async function holdings(primary: number): Promise<{ descriptors: number; workers: number[] }> {
  const workers = await settledWorkers(primary, WORKERS);
  const count = (): number => [primary, ...workers].reduce((sum, pid) => sum + openDescriptors(pid), 0);
  let last = -1;
  // What the start opened for a moment is closed by and by.
  await eventually('the number of descriptors comes to rest', async () => {
    const before = last;
    last = count();
    await delay(SETTLING_MS);
    return last === before;
  });
  return { descriptors: last, workers };
}

describe('an upgrade', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`lets a connection of the old version go on to its end there, ${accept}`, async (t) => {
      const backend = await startBackend(t, digest);
      const env = { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: NEVER_SECS };
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }], env });
      const bytes = randomBuffer('across', 8 << 20);
      const peer = await connectPeer(t, proxy);
      await peer.write(bytes.subarray(0, 1 << 20));
      const first = await upgrade(proxy);
      await peer.write(bytes.subarray(1 << 20, 4 << 20));
      const second = await upgrade(proxy);
      await peer.write(bytes.subarray(4 << 20));
      await eventually('the one between ends, which had no connection', () => !isRunning(first));
      assert.ok(isRunning(proxy.pid));
      await peer.end();
      assert.equal(String(await peer.readToEnd()), sha256([bytes]));
      await eventually('the old version ends with its last connection', () => !isRunning(proxy.pid));
      assert.ok(isRunning(second));
    });
  }

  it('leaves nothing behind: ten in a row have the descriptors, processes and memory of one', async (t) => {
    const backend = await startBackend(t, echo);
    const proxy = await startProxy(t, { backends: [{ port: backend.port }], workers: WORKERS });
    let pid = await upgrade(proxy);
    const { descriptors } = await holdings(pid);
    const memory = residentBytes(pid);
    const environment = environmentOf(pid).length;
    const former = [proxy.pid];
    for (let generation = 2; generation <= GENERATIONS; generation++) {
      former.push(pid, ...childPids(pid));
      pid = await upgrade(proxy);
      await assertEchoes(await connectPeer(t, proxy), `generation ${generation}`);
    }
    const last = await holdings(pid);
    await eventually('no process of a former generation is left', () => !former.some(isRunning));
    // Less than one for each generation: a thread of the reader's may be there or not.
    assert.ok(last.descriptors < descriptors + GENERATIONS - 1, `${last.descriptors} descriptors after ${descriptors}`);
    const isSmall = (): boolean => residentBytes(pid) < 1.5 * memory;
    await eventually('its memory is that of the first', isSmall, { state: () => [residentBytes(pid), memory] });
    assert.ok(Math.abs(environmentOf(pid).length - environment) < 16, 'pids and inodes aside it is the same');
    for (const worker of last.workers) assert.doesNotMatch(environmentOf(worker), /EDGEPROXY_INTERNAL_UPGRADE/);
  });

  it('may change the accept mode and the number of workers, and every client is answered', async (t) => {
    const backend = await startBackend(t, echo);
    const installation = await install(t);
    const proxy = await startProxy(t, { backends: [{ port: backend.port }], main: installation.main });
    const load = new ConnectionLoad(t, proxy.port, { pauseMs: 2 });
    await load.answered(200);
    // More sockets than before, fewer workers than sockets, one socket after several, and several beside one.
    for (const [accept, workers] of [
      ['reuseport', 3],
      ['reuseport', 1],
      ['handoff', 2],
      ['reuseport', 2],
    ] as const) {
      installation.beginWith(
        `process.env.EDGEPROXY_ACCEPT = '${accept}'; process.env.EDGEPROXY_WORKERS = '${workers}'`,
      );
      const pid = await upgrade(proxy);
      assert.equal((await settledWorkers(pid, workers)).length, workers);
      await load.answered(load.report.answered + 500);
    }
    assert.deepEqual((await load.stop()).failed, {});
  });

  it('may change the addresses: those that stay are kept, others closed and opened', async (t) => {
    const backend = await startBackend(t, echo);
    const installation = await install(t);
    const listen = '127.0.0.1:0,127.0.0.2:0';
    const proxy = await startProxy(t, { backends: [{ port: backend.port }], main: installation.main, listen });
    const [kept, dropped] = proxy.listen;
    assert.ok(kept && dropped);
    installation.beginWith("process.env.EDGEPROXY_LISTEN_ADDR = '127.0.0.3:0,127.0.0.1:0'");
    const ready = nextLine(proxy, 'edgeproxy is ready');
    await upgrade(proxy);
    const [added, stayed] = (await ready)['listen'] as { address: string; port: number }[];
    assert.ok(added && stayed);
    assert.deepEqual(stayed, kept);
    for (const to of [added, stayed]) await assertEchoes(await connectPeer(t, to), 'here');
    await eventually('nobody listens where nobody is to', async () => {
      const failure = await connectPeer(t, dropped).catch((error: unknown) => error);
      return (failure as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    });
  });

  it('of the demo is refused: its backends would go with it', async (t) => {
    const proxy = await startProxy(t, { args: ['--demo'] });
    const refused = nextLine(proxy, 'SIGUSR2: no upgrade of the demo');
    proxy.signal('SIGUSR2');
    await refused;
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });
});
