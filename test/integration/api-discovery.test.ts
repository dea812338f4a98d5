/** Backends that register themselves: what they do to the routing, and what is left of them after a restart. */
import Database from 'better-sqlite3';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { API_ENV, AdminApi, registration } from '../support/admin-api.js';
import { echo, nameAndEnd } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { rowsOf } from '../support/database-rows.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';
import { visit } from '../support/visit.js';

const TIME_LIMIT = { timeout: 120_000 };
const NO_AFFINITY = { EDGEPROXY_BINDING_TTL_SECS: '0' };
/** Nobody goes silent while a test runs. */
const LONG = { ...API_ENV, ...NO_AFFINITY, EDGEPROXY_HEARTBEAT_TTL_SECS: '3600' };
const SHORT = { ...API_ENV, ...NO_AFFINITY, EDGEPROXY_HEARTBEAT_TTL_SECS: '1' };

async function named(owner: Owner, name: string): Promise<number> {
  return (await startBackend(owner, nameAndEnd(name))).port;
}

/** How a client without a backend is turned away. */
function isTurnedAway(answer: string): boolean {
  return answer !== '' && !/^[ab]$/.test(answer);
}

describe('a backend that registers', TIME_LIMIT, () => {
  it('gets clients at once, is a row like any other, and is there after a restart', async (t) => {
    const port = await named(t, 'a');
    const proxy = await startProxy(t, { env: LONG });
    const api = await AdminApi.of(proxy);
    assert.ok(isTurnedAway(await visit(t, proxy)));
    const body = registration('a', port, { region: 'SA', country: 'br' });
    const answer = await api.expect(201, 'POST', '/api/v1/register', { body });
    assert.deepEqual([answer['id'], answer['registered']], ['a', true]);
    assert.equal(await visit(t, proxy), 'a');
    const [row] = rowsOf(proxy.databasePath, 'SELECT * FROM backends');
    assert.deepEqual(row, {
      ...{ id: 'a', app: 'web', region: 'sa', country: 'BR', wg_ip: '127.0.0.1', port },
      ...{ healthy: 1, weight: 2, soft_limit: 100, hard_limit: 150, deleted: 0 },
    });
    assert.equal((await api.expect(200, 'GET', '/health'))['registered_backends'], 1);
    await proxy.stop();
    const again = await startProxy(t, { env: LONG, databasePath: proxy.databasePath });
    assert.equal(await visit(t, again), 'a');
    const shown = await (await AdminApi.of(again)).expect(200, 'GET', '/api/v1/backends/a');
    assert.deepEqual([shown['registered'], shown['silent'], shown['weight']], [true, false, 2]);
  });

  it('gets none once it is silent, also after a restart, until its next heartbeat', async (t) => {
    const port = await named(t, 'a');
    const proxy = await startProxy(t, { env: SHORT });
    const api = await AdminApi.of(proxy);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('a', port) });
    await eventually('no client gets to it', async () => isTurnedAway(await visit(t, proxy)));
    const shown = await api.expect(200, 'GET', '/api/v1/backends/a');
    assert.deepEqual([shown['registered'], shown['silent'], shown['enabled']], [true, true, true]);
    assert.ok(Number(shown['last_heartbeat_age_secs']) >= 1);
    await proxy.stop();
    const again = await startProxy(t, { env: SHORT, databasePath: proxy.databasePath });
    assert.ok(isTurnedAway(await visit(t, again)));
    const later = await AdminApi.of(again);
    assert.equal((await later.expect(200, 'GET', '/api/v1/backends/a'))['silent'], true);
    await eventually('heartbeats bring it back', async () => {
      assert.deepEqual(await later.expect(200, 'POST', '/api/v1/heartbeat/a'), { id: 'a', status: 'ok' });
      return (await visit(t, again)) === 'a';
    });
  });

  it('has its heartbeats written, so that a proxy that was killed knows it for alive', async (t) => {
    const env = { ...LONG, EDGEPROXY_HEARTBEAT_TTL_SECS: '1.2' };
    const proxy = await startProxy(t, { env });
    const api = await AdminApi.of(proxy);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('a', 1) });
    const heartbeatAt = () => {
      const [row] = rowsOf(proxy.databasePath, 'SELECT registered_at, last_heartbeat_at FROM registrations') as Record<
        string,
        number
      >[];
      return (row?.['last_heartbeat_at'] ?? 0) - (row?.['registered_at'] ?? 0);
    };
    assert.equal(heartbeatAt(), 0);
    await eventually('it is written', async () => {
      await api.expect(200, 'POST', '/api/v1/heartbeat/a');
      return heartbeatAt() > 0;
    });
  });

  it('may say what has changed; what it leaves out stays', async (t) => {
    const [a, b] = [await named(t, 'a'), await named(t, 'b')];
    const proxy = await startProxy(t, { env: LONG });
    const api = await AdminApi.of(proxy);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('x', a, { weight: 5, hard_limit: 7 }) });
    await api.expect(200, 'PATCH', '/api/v1/backends/x', { body: { soft_limit: 3 } });
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('x', b) });
    assert.equal(await visit(t, proxy), 'b');
    const shown = await api.expect(200, 'GET', '/api/v1/backends/x');
    assert.deepEqual([shown['weight'], shown['soft_limit'], shown['hard_limit']], [5, 3, 7]);
  });

  it('is gone when it is removed, by the API as by the command line', async (t) => {
    const proxy = await startProxy(t, { env: LONG });
    const api = await AdminApi.of(proxy);
    for (const id of ['a', 'b']) await api.expect(201, 'POST', '/api/v1/register', { body: registration(id, 1) });
    await api.expect(200, 'DELETE', '/api/v1/backends/a');
    await edit(proxy, { b: { deleted: 1 } });
    for (const id of ['a', 'b']) {
      await api.refuses(404, 'GET', `/api/v1/backends/${id}`);
      const { field, reason } = await api.refuses(404, 'POST', `/api/v1/heartbeat/${id}`);
      assert.deepEqual([field, reason?.endsWith('register again')], ['id', true]);
    }
    assert.deepEqual(rowsOf(proxy.databasePath, 'SELECT id FROM backends'), [{ id: 'b' }]);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('b', 1) });
    assert.equal((await api.expect(200, 'GET', '/api/v1/backends'))['total'], 1);
  });

  it('takes the place of one that is silent where there is no other, and is refused where all are heard of', async (t) => {
    const proxy = await startProxy(t, { env: { ...LONG, EDGEPROXY_MAX_BACKENDS: '2' } });
    const api = await AdminApi.of(proxy);
    for (const id of ['a', 'b']) await api.expect(201, 'POST', '/api/v1/register', { body: registration(id, 1) });
    const { code } = await api.refuses(507, 'POST', '/api/v1/register', { body: registration('c', 1) });
    assert.equal(code, 'table_full');
    await proxy.stop();
    const again = await startProxy(t, {
      env: { ...SHORT, EDGEPROXY_MAX_BACKENDS: '2' },
      databasePath: proxy.databasePath,
    });
    const later = await AdminApi.of(again);
    await eventually('one of them goes', async () => {
      return (await later.ask('POST', '/api/v1/register', { body: registration('c', 1) })).status === 201;
    });
  });

  it('is known for as long as it waits for its place in the routing table', async (t) => {
    const { port } = await startBackend(t, echo);
    const proxy = await startProxy(t, { env: { ...LONG, EDGEPROXY_MAX_BACKENDS: '1' } });
    const api = await AdminApi.of(proxy);
    const leftOut = proxy.log.next(({ msg }) => msg === 'routing database: backend left out');
    // Its client keeps the place of one that was removed.
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('a', port) });
    const peer = await connectPeer(t, proxy);
    await peer.write('x');
    await peer.read(1);
    await api.expect(200, 'DELETE', '/api/v1/backends/a');
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('b', port) });
    assert.equal((await leftOut)['backend'], 'b');
    // Another table is in force, which still has no place.
    await api.refuses(404, 'PATCH', '/api/v1/backends/b', { body: { weight: 5 } });
    await api.expect(200, 'POST', '/api/v1/heartbeat/b');
  });
});

describe('what operators change', TIME_LIMIT, () => {
  it('drains, weighs and disables any row of the routing database while clients come', async (t) => {
    const [a, b] = [await named(t, 'a'), await named(t, 'b')];
    const proxy = await startProxy(t, { backends: [{ id: 'a', port: a, region: 'sa' }], env: LONG });
    const api = await AdminApi.of(proxy);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('b', b) });
    const only = async (id: string, change: object): Promise<void> => {
      await api.expect(200, 'PATCH', `/api/v1/backends/${id}`, { body: change });
      const answers = [await visit(t, proxy), await visit(t, proxy), await visit(t, proxy)];
      assert.deepEqual(answers, Array(3).fill(id === 'a' ? 'b' : 'a'), JSON.stringify(change));
    };
    await only('a', { draining: true });
    await api.expect(200, 'PATCH', '/api/v1/backends/a', { body: { draining: false } });
    await only('b', { weight: 0 });
    await api.expect(200, 'PATCH', '/api/v1/backends/b', { body: { weight: 1 } });
    await only('a', { enabled: false });
    await api.expect(200, 'DELETE', '/api/v1/backends/a');
    assert.deepEqual(rowsOf(proxy.databasePath, "SELECT deleted FROM backends WHERE id = 'a'"), [{ deleted: 1 }]);
  });

  it('is refused where the row is not the routing database’s, or was not registered', async (t) => {
    const file = await ConfigFile.make(t, {});
    file.writeText('[[rules]]\nname = "r"\n[[rules.backends]]\nid = "b"\naddress = "127.0.0.1:1"\n');
    const args = ['--config', file.path];
    const proxy = await startProxy(t, { backends: [{ id: 'own', port: 1 }], env: LONG, args });
    const api = await AdminApi.of(proxy);
    for (const id of ['own', 'r/b']) {
      const taken = await api.refuses(409, 'POST', '/api/v1/register', { body: registration(id, 1) });
      assert.deepEqual([taken['code'], taken['field']], ['conflict', 'id']);
    }
    assert.deepEqual(rowsOf(proxy.databasePath, 'SELECT id FROM backends'), [{ id: 'own' }]);
    await api.refuses(404, 'PATCH', '/api/v1/backends/nobody', { body: { weight: 1 } });
    await api.refuses(404, 'DELETE', '/api/v1/backends/nobody');
  });

  it('says so where the database cannot be written, loses nothing, and goes on when it can', async (t) => {
    const port = await named(t, 'a');
    const proxy = await startProxy(t, { env: LONG });
    const api = await AdminApi.of(proxy);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('a', port) });
    const other = new Database(proxy.databasePath);
    other.exec('BEGIN EXCLUSIVE');
    const answers = await Promise.all([
      api.ask('POST', '/api/v1/register', { body: registration('b', 1) }),
      api.ask('PATCH', '/api/v1/backends/a', { body: { weight: 0 } }),
      api.ask('DELETE', '/api/v1/backends/a'),
    ]);
    for (const { status, body, headers } of answers) {
      assert.equal(status, 503);
      assert.match(JSON.stringify(body), /"code":"unavailable".*is locked by another process/);
      assert.equal(headers.get('retry-after'), '1');
    }
    await api.expect(200, 'POST', '/api/v1/heartbeat/a');
    assert.equal(await visit(t, proxy), 'a');
    other.exec('ROLLBACK');
    other.close();
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('b', 1) });
    await api.expect(200, 'PATCH', '/api/v1/backends/a', { body: { weight: 3 } });
    assert.equal((await api.expect(200, 'GET', '/api/v1/backends'))['total'], 2);
  });
});
