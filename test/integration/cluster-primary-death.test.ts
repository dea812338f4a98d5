/** SIGKILL of the primary: no worker outlives it, whatever it is doing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { isRunning } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };

async function goneAfterKill(proxy: ProxyProcess): Promise<void> {
  const pids = proxy.pids;
  assert.equal(pids.length, 3, 'a primary and two workers');
  proxy.signal('SIGKILL');
  await eventually('every process is gone', () => !pids.some(isRunning), { state: () => pids.filter(isRunning) });
}

async function isRefused(owner: Owner, proxy: ProxyProcess): Promise<boolean> {
  try {
    await connectPeer(owner, proxy);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  }
}

describe('the death of the primary', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`ends its workers and their connections, ${accept}`, async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }] });
      const peer = await connectPeer(t, proxy);
      await peer.write('hello');
      await peer.read(5);
      await goneAfterKill(proxy);
      await peer.ending();
      // The kernel closes what was on its way through a channel a moment later.
      await eventually('nobody listens any more', () => isRefused(t, proxy));
    });
  }

  it('ends workers that are stopped and would never look', async (t) => {
    const proxy = await startProxy(t, { backends: [] });
    for (const pid of proxy.workerPids) process.kill(pid, 'SIGSTOP');
    await goneAfterKill(proxy);
  });

  it('ends workers that are busy with a stream', async (t) => {
    const backend = await startBackend(t, echo);
    const proxy = await startProxy(t, { backends: [{ port: backend.port }] });
    const peer = await connectPeer(t, proxy);
    const chunk = Buffer.alloc(1 << 20);
    const flood = (): void => {
      peer.socket.write(chunk, (error) => {
        if (!error) flood();
      });
    };
    flood();
    await peer.read(8 << 20);
    peer.socket.resume();
    await goneAfterKill(proxy);
    await peer.closed;
  });
});
