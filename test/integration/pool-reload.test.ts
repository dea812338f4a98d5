/** The pool is switched on, changed and switched off under the clients of a running proxy. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { startConfigured, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { reload } from '../support/routing-edits.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded/;
const BASE = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } } satisfies Tables;

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

describe('a reload', TIME_LIMIT, () => {
  it('opens warm connections and closes all of them again, while clients stay', async (t) => {
    const backend = await startBackend(t, echo);
    const options = { workers: 2, backends: [{ port: backend.port }] };
    const { proxy, file } = await startConfigured(t, BASE, options);
    const { counters } = proxy;
    const warm = (): number => counters.gauges('WARM_CONNECTIONS');
    const first = await connectPeer(t, proxy);
    await assertEchoes(first, 'without');
    assert.equal(counters.total('WARM_MISSED'), 0);

    file.write({ ...BASE, pool: { enabled: true, max_per_backend: 6 } });
    await reload(proxy, RELOADED);
    const clients = await Promise.all(Array.from({ length: 24 }, () => connectPeer(t, proxy)));
    await eventually('the pool is full', () => warm() === 6, { state: warm });
    await eventually('all are accepted', () => backend.peers.length === 1 + 24 + 6);

    file.write({ ...BASE, pool: { enabled: true, max_per_backend: 2 } });
    await reload(proxy, RELOADED);
    await eventually('the pool is smaller', () => warm() === 2, { state: warm });

    file.write({ ...BASE, pool: { enabled: false } });
    await reload(proxy, RELOADED);
    await eventually('the pool is empty', () => warm() === 0, { state: warm });
    const ended = (): number => backend.peers.filter(({ socket }) => socket.destroyed).length;
    await eventually('backends know', () => ended() === 6, { state: ended });
    for (const client of [first, ...clients]) await assertEchoes(client, 'still here');
    await assertEchoes(await connectPeer(t, proxy), 'on a connect of its own');
    assert.equal(warm(), 0);
  });
});
