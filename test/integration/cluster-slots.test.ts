/** A removed backend keeps its slot while it has connections; who had to wait for it gets it without another edit. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { connectPeer, endingOfClient } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { changeBackends } from '../support/routing-edits.js';
import { startBackend } from '../support/tcp-backend.js';

it('places a backend that was left out for want of a slot when one comes free', { timeout: 60_000 }, async (t) => {
  const [old, late] = [await startBackend(t, echo), await startBackend(t, echo)];
  const proxy = await startProxy(t, {
    backends: [{ port: old.port }, { port: late.port }],
    env: { EDGEPROXY_MAX_BACKENDS: '1', EDGEPROXY_DB_RELOAD_SECS: '0.05' },
  });
  const first = await connectPeer(t, proxy);
  await first.write('old');
  assert.equal(String(await first.read(3)), 'old');

  const leftOut = proxy.log.next(({ msg, backend }) => /left out/.test(String(msg)) && backend === 'b1');
  changeBackends(proxy.databasePath, { b0: { deleted: 1 } });
  await leftOut;
  assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');

  const placed = proxy.log.next(({ msg, backends }) => msg === 'routing table in force' && backends === 1);
  first.close();
  await placed;
  const second = await connectPeer(t, proxy);
  await second.write('new');
  assert.equal(String(await second.read(3)), 'new');
  assert.equal(late.peers.length, 1);
});
