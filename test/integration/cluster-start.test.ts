/** Starts that cannot succeed end with a reason, and one that is interrupted ends at once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { echo } from '../support/backend-behaviours.js';
import { install } from '../support/installation.js';
import { connectPeer } from '../support/peer.js';
import { spawnProxy, startProxy } from '../support/proxy-process.js';
import { writeRoutingFile } from '../support/routing-file.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };

describe('a start', TIME_LIMIT, () => {
  it('works from a path with a space, a per cent sign and a letter beyond ASCII', async (t) => {
    const { main } = await install(t, 'é %20 x');
    const backend = await startBackend(t, echo);
    const proxy = await startProxy(t, { backends: [{ port: backend.port }], main });
    const peer = await connectPeer(t, proxy);
    await peer.write('here');
    assert.equal(String(await peer.read(4)), 'here');
  });

  it('fails where no worker can run, instead of trying for ever', async (t) => {
    const installation = await install(t);
    installation.put('dist/cluster/worker.js', 'process.exit(3);\n');
    const proxy = await spawnProxy(t, { main: installation.main });
    assert.deepEqual(await proxy.exit, { code: 1, signal: null });
    await proxy.waitForLog(({ code }) => code === 'EP_WORKER_START');
  });

  it('ends with 0 on a signal while it still waits for its databases', async (t) => {
    const databasePath = join(await scratchDirectory(t), 'routing.db');
    writeRoutingFile(databasePath, []);
    const lock = new Database(databasePath);
    t.after(() => lock.close());
    lock.exec('BEGIN EXCLUSIVE');
    const proxy = await spawnProxy(t, { databasePath });
    await proxy.waitForLog(({ code }) => code === 'EP_DB_LOCKED');
    proxy.signal('SIGTERM');
    assert.deepEqual(await proxy.exit, { code: 0, signal: null });
  });

  it('refuses to share an address with another proxy in reuseport mode', async (t) => {
    const first = await startProxy(t, { accept: 'reuseport' });
    const second = await spawnProxy(t, { accept: 'reuseport', listen: `127.0.0.1:${first.port}` });
    assert.deepEqual(await second.exit, { code: 2, signal: null });
    await second.waitForLog(({ code }) => code === 'EP_LISTEN');
  });
});

it('a stop while a thread waits for a locked database ends with 0', TIME_LIMIT, async (t) => {
  for (let i = 0; i < 3; i++) {
    // All but a moment of each interval is spent waiting for the lock.
    const proxy = await startProxy(t, { env: { EDGEPROXY_DB_RELOAD_SECS: '0.01' } });
    const lock = new Database(proxy.databasePath);
    t.after(() => lock.close());
    lock.exec('BEGIN EXCLUSIVE');
    await proxy.waitForLog(({ code }) => code === 'EP_DB_LOCKED');
    assert.deepEqual(await proxy.stop('SIGTERM'), { code: 0, signal: null });
    assert.equal(proxy.stderr, '');
  }
});
