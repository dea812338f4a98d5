/** A backend that has been draining for its time loses its connections. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const NEVER_SECS = '600';

async function assertEchoes(peer: Peer): Promise<void> {
  await peer.write('ping');
  assert.equal(String(await peer.read(4)), 'ping');
}

async function connected(owner: Owner, proxy: ProxyProcess): Promise<Peer> {
  const peer = await connectPeer(owner, proxy);
  await assertEchoes(peer);
  return peer;
}

async function startEchoing(owner: Owner, drainSecs: string): Promise<ProxyProcess> {
  const { port } = await startBackend(owner, echo);
  const env = { EDGEPROXY_DRAIN_TIMEOUT_SECS: drainSecs, EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS };
  return startProxy(owner, { backends: [{ port }], env });
}

describe('DRAIN_TIMEOUT_SECS', TIME_LIMIT, () => {
  it('resets what is left, once, counted by its reason', async (t) => {
    const proxy = await startEchoing(t, '0.3');
    const peers = await Promise.all(Array.from({ length: 10 }, () => connected(t, proxy)));
    const { counters } = proxy;
    await edit(proxy, { b0: { draining: 1 } });
    for (const peer of peers) assert.equal(await peer.ending(), 'ECONNRESET');
    assert.equal(counters.ended('backend_drained'), 10);
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    assert.equal(counters.rejected('no_backend'), 1);
  });

  it('does nothing to a backend that is enabled before', async (t) => {
    const [one, two] = [await startBackend(t, echo), await startBackend(t, echo)];
    const env = {
      EDGEPROXY_DRAIN_TIMEOUT_SECS: '5',
      EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS,
      EDGEPROXY_BINDING_TTL_SECS: '0',
    };
    const proxy = await startProxy(t, { backends: [{ port: one.port }, { port: two.port, weight: 0 }], env });
    const kept = await connected(t, proxy);
    await edit(proxy, { b0: { draining: 1 }, b1: { weight: 1 } });
    const closed = await connected(t, proxy);
    await edit(proxy, { b0: { draining: 0 }, b1: { draining: 1 } });
    // Its drain began after the other one: when it is over, that one would be.
    assert.equal(await closed.ending(), 'ECONNRESET');
    await assertEchoes(kept);
    assert.equal(proxy.counters.ended('backend_drained'), 1);
  });

  it('gives way to what the row says', async (t) => {
    const proxy = await startEchoing(t, NEVER_SECS);
    const peer = await connected(t, proxy);
    await edit(proxy, { b0: { draining: 1, drain_timeout_secs: 0.1 } });
    assert.equal(await peer.ending(), 'ECONNRESET');
  });

  it('holds for a backend that is removed while it drains', async (t) => {
    const proxy = await startEchoing(t, '1');
    const peer = await connected(t, proxy);
    await edit(proxy, { b0: { draining: 1 } });
    await edit(proxy, { b0: { deleted: 1 } });
    assert.equal(await peer.ending(), 'ECONNRESET');
    assert.equal(proxy.counters.ended('backend_drained'), 1);
  });
});
