/** Backends on Unix sockets behind the real proxy: what works as with TCP, what fails in another way. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { banner, digest, echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { upgrade } from '../support/generations.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { randomBuffer, sha256 } from '../support/random-bytes.js';
import { addBackend, changeBackends, edit, reload } from '../support/routing-edits.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';
import { startUnixBackend } from '../support/unix-backend-process.js';

const TIME_LIMIT = { timeout: 300_000 };
const NO_AFFINITY = { EDGEPROXY_BINDING_TTL_SECS: '0' };
/** Of a user that may do nothing in particular. */
const NOBODY = 65_534;

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

describe('a backend on a Unix socket', TIME_LIMIT, () => {
  for (const mode of ['off', 'on'] as const) {
    it(`takes and gives streams whole, splicing ${mode}`, async (t) => {
      const path = join(await scratchDirectory(t), 'app.sock');
      const { address, port } = await startBackend(t, digest, { path });
      const proxy = await startProxy(t, { backends: [{ address, port }], env: { EDGEPROXY_SPLICE: mode } });
      const bytes = randomBuffer('unix', 16 << 20);
      const peer = await connectPeer(t, proxy);
      await peer.end(bytes);
      assert.equal(String(await peer.readToEnd()), sha256([bytes]));
      await eventually('nothing is left', () => proxy.counters.gauges('ACTIVE') === 0);
      assert.equal(proxy.counters.ended('finished'), 1);
    });
  }

  it('that is killed ends its connections, refuses, and others take its clients until it is back', async (t) => {
    const path = join(await scratchDirectory(t), 'app.sock');
    const first = await startUnixBackend(t, path);
    const other = await startBackend(t, banner('other'));
    const backends = [
      { address: `unix:${path}`, port: 0, id: 'unix' },
      { port: other.port, id: 'other', isDraining: true },
    ];
    const proxy = await startProxy(t, { backends, env: NO_AFFINITY });
    const slot = proxy.counters.slotOf(0x1_0000);
    const peer = await connectPeer(t, proxy);
    await assertEchoes(peer, 'by a socket');
    await first.kill();
    assert.equal(await peer.ending(), 'end');
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    assert.ok(proxy.counters.backendErrors(slot, 'refused') > 0);
    await edit(proxy, { other: { draining: 0 } });
    for (let i = 0; i < 4; i++) assert.equal(String(await (await connectPeer(t, proxy)).read(5)), 'other');
    rmSync(path);
    assert.equal(String(await (await connectPeer(t, proxy)).read(5)), 'other');
    await startUnixBackend(t, path);
    await edit(proxy, { other: { draining: 1 } });
    await assertEchoes(await connectPeer(t, proxy), 'back again');
  });

  it('that is not there, or may not be used, is unreachable, and is used once it is there', async (t) => {
    const directory = await scratchDirectory(t);
    const closed = join(directory, 'closed');
    mkdirSync(closed);
    chmodSync(directory, 0o755);
    const path = join(closed, 'app.sock');
    await startBackend(t, echo, { path });
    chmodSync(closed, 0o700);
    const missing = join(directory, 'missing.sock');
    const backends = [
      { id: 'closed', address: `unix:${path}`, port: 0 },
      { id: 'missing', address: `unix:${missing}`, port: 0 },
    ];
    const proxy = await startProxy(t, {
      backends,
      env: NO_AFFINITY,
      ...(process.getuid?.() === 0 ? { uid: NOBODY } : {}),
    });
    if (process.getuid?.() === 0) {
      assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
      assert.equal(proxy.counters.rejected('connect_failed'), 1);
      const slots = [0, 1].map((slot) => proxy.counters.backendErrors(slot, 'unreachable'));
      assert.deepEqual(slots, [1, 1]);
    }
    const server = await startBackend(t, echo, { path: missing });
    chmodSync(missing, 0o777);
    assert.equal(server.address, `unix:${missing}`);
    await assertEchoes(await connectPeer(t, proxy), 'there now');
  });

  it('is checked like any other', async (t) => {
    const path = join(await scratchDirectory(t), 'app.sock');
    const backend = await startUnixBackend(t, path);
    const env = {
      EDGEPROXY_HEALTH_CHECK_ENABLED: 'true',
      EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '0.2',
      EDGEPROXY_HEALTH_UNHEALTHY_THRESHOLD: '1',
      EDGEPROXY_HEALTH_HEALTHY_THRESHOLD: '1',
    };
    const proxy = await startProxy(t, { backends: [{ id: 'unix', address: `unix:${path}`, port: 0 }], env });
    await assertEchoes(await connectPeer(t, proxy), 'well');
    const downs = proxy.log.next(({ msg, reason }) => msg === 'backend is down' && reason === 'refused');
    await backend.kill();
    const down = await downs;
    assert.equal(down['backend'], 'unix');
    rmSync(path);
    const up = proxy.log.next(({ msg }) => msg === 'backend is up');
    await startUnixBackend(t, path);
    await up;
    await assertEchoes(await connectPeer(t, proxy), 'again');
  });

  it('moves to another path by a reload, under the connections that it has, and through an upgrade', async (t) => {
    const directory = await scratchDirectory(t);
    const [one, two] = ['one', 'two'].map((name) => join(directory, `${name}.sock`));
    assert.ok(one !== undefined && two !== undefined);
    await startBackend(t, echo, { path: one });
    await startBackend(t, banner('second'), { path: two });
    const env = { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '600' };
    const proxy = await startProxy(t, { backends: [], env });
    addBackend(proxy.databasePath, { id: 'moves', wg_ip: `unix:${one}`, port: null });
    await reload(proxy);
    const peer = await connectPeer(t, proxy);
    await assertEchoes(peer, 'at the first path');
    changeBackends(proxy.databasePath, { moves: { wg_ip: `unix:${two}` } });
    await reload(proxy);
    assert.equal(String(await (await connectPeer(t, proxy)).read(6)), 'second');
    await assertEchoes(peer, 'still at the first');
    await upgrade(proxy);
    assert.equal(String(await (await connectPeer(t, proxy)).read(6)), 'second');
    await assertEchoes(peer, 'still');
  });
});
