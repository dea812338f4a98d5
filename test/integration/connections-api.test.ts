/** Connections and bindings as the admin API lists and ends them, of the program as users run it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AdminApi, startWithApi } from '../support/admin-api.js';
import { atRest } from '../support/at-rest.js';
import { echo } from '../support/backend-behaviours.js';
import { ClientSwarm } from '../support/client-swarm.js';
import { eventually } from '../support/eventually.js';
import { ConfigFile } from '../support/config-file.js';
import { pause, resume } from '../support/paused-process.js';
import { connectPeer, type Peer } from '../support/peer.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { startBackend, type TcpBackend } from '../support/tcp-backend.js';
import { echoed, udpPeer } from '../support/udp-peer.js';

const TIME_LIMIT = { timeout: 120_000 };
const MEGABYTE = Buffer.alloc(1 << 20, 'x');

interface Row {
  readonly id: string;
  readonly worker: number;
  readonly protocol: string;
  readonly state: string;
  readonly listener: string;
  readonly client_ip: string;
  readonly client_port: number;
  readonly backend: string | null;
  readonly backend_ip: string | null;
  readonly backend_port: number | null;
  readonly rule: string | null;
  readonly age_ms: number;
  readonly idle_ms: number;
  readonly bytes_sent: number;
  readonly bytes_received: number;
}

interface Page {
  readonly connections: readonly Row[];
  readonly next_cursor: string | null;
  readonly missing_workers: readonly number[];
}

async function page(api: AdminApi, query = ''): Promise<Page> {
  const { status, body } = await api.send('GET', `/api/v1/connections?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body as Page;
}

/** All of them, by pages. */
async function list(api: AdminApi, query = 'limit=1000'): Promise<Row[]> {
  const rows: Row[] = [];
  for (let cursor: string | null = '0.0'; cursor !== null;) {
    const { connections, next_cursor: next, missing_workers: missing } = await page(api, `${query}&cursor=${cursor}`);
    assert.deepEqual(missing, []);
    rows.push(...connections);
    cursor = next;
  }
  return rows;
}

async function relayed(owner: Owner, proxy: ProxyProcess): Promise<Peer> {
  const peer = await connectPeer(owner, proxy);
  await peer.write('ping');
  assert.equal(String(await peer.read(4)), 'ping');
  return peer;
}

/** A proxy with two echoing backends, of which new clients go to both in turn, and its API. */
async function rig(owner: Owner, env: Readonly<Record<string, string>> = {}, workers = 2) {
  const backends = [await startBackend(owner, echo), await startBackend(owner, echo)];
  const rows = backends.map(({ port }: TcpBackend) => ({ port }));
  const options = { EDGEPROXY_BINDING_TTL_SECS: '0', EDGEPROXY_WATCHDOG_SECS: '0', ...env };
  return { ...(await startWithApi(owner, { backends: rows, workers, env: options })), backends };
}

describe('GET /api/v1/connections', TIME_LIMIT, () => {
  it('lists a thousand connections of several workers, each once, while they are used', async (t) => {
    const { proxy, api } = await rig(t, {}, 3);
    const swarm = new ClientSwarm(t);
    assert.equal(await swarm.connect(proxy.port, 1000), 1000);
    assert.equal(await swarm.exchange(1), 1000);
    const exchanging = swarm.exchange(2);
    for (const query of ['limit=1000', 'limit=37']) {
      const rows = await list(api, query);
      assert.equal(new Set(rows.map(({ id }) => id)).size, 1000);
      assert.equal(rows.length, 1000);
      const order = rows.map(({ worker }) => worker);
      assert.deepEqual(
        order,
        [...order].sort((a, b) => a - b),
      );
    }
    assert.equal(await exchanging, 1000);
    const rows = await list(api);
    assert.ok(rows.every((row) => row.state === 'relaying' && row.bytes_sent > 0 && row.idle_ms <= row.age_ms));
    assert.ok(new Set(rows.map(({ worker }) => worker)).size === 3);
    const one = rows[500];
    assert.ok(one);
    const same = await list(api, `client=${one.client_ip}&backend=${one.backend}&worker=${one.worker}`);
    assert.ok(same.some(({ id }) => id === one.id));
    assert.ok(same.every((it) => it.client_ip === one.client_ip && it.backend === one.backend));
    const [b0, b1] = [await list(api, 'limit=1000&backend=b0'), await list(api, 'limit=1000&backend=b1')];
    assert.equal(b0.length + b1.length, 1000);
    assert.equal((await list(api, 'limit=1000&client=127.0.0.0/8')).length, 1000);
    assert.deepEqual(await list(api, 'client=192.0.2.0/24'), []);
    assert.deepEqual(await list(api, 'listener=nobody'), []);
    assert.equal(await swarm.leave({ mayReset: false }), 1000);
    await eventually('the list is empty', async () => (await list(api)).length === 0);
  });

  it('goes on without a worker that is killed, and without one that stands still, which it names', async (t) => {
    const { proxy, api } = await rig(t, {}, 2);
    const peers = await Promise.all(Array.from({ length: 20 }, () => relayed(t, proxy)));
    const [stopped = 0, killed = 0] = proxy.workerPids;
    await pause(t, stopped);
    const { missing_workers: missing, connections } = await page(api);
    assert.deepEqual(missing, [0]);
    assert.ok(connections.length > 0 && connections.every(({ worker }) => worker === 1));
    const { status } = await api.send('DELETE', `/api/v1/connections?worker=0&all=true`);
    assert.equal(status, 200);
    resume(stopped);
    await eventually('it answers again', async () => (await page(api)).missing_workers.length === 0);
    const [old] = (await page(api)).connections.filter(({ worker }) => worker === 1);
    const listing = Array.from({ length: 20 }, () => page(api, 'limit=1000'));
    process.kill(killed, 'SIGKILL');
    for (const { next_cursor: next } of await Promise.all(listing)) assert.equal(next, null);
    await eventually('its successor answers', async () => {
      const { missing_workers: none } = await page(api);
      return none.length === 0 && proxy.workerPids[1] !== killed;
    });
    // The successor counts its connections from the beginning: an id of the dead one must not be one of them.
    await Promise.all(Array.from({ length: 20 }, () => relayed(t, proxy)));
    assert.equal((await api.send('DELETE', `/api/v1/connections/${old?.id}`)).status, 404);
    assert.equal(peers.length, 20);
  });

  it('knows the rule of a connection', async (t) => {
    const backend = await startBackend(t, echo);
    const file = new ConfigFile(join(await scratchDirectory(t), 'edgeproxy.toml'));
    file.writeText(
      `[[rules]]\nname = "everybody"\n` + `[[rules.backends]]\nid = "own"\naddress = "127.0.0.1:${backend.port}"\n`,
    );
    const { proxy, api } = await startWithApi(t, { args: ['--config', file.path] });
    const peer = await relayed(t, proxy);
    const [row] = await list(api);
    assert.deepEqual([row?.rule, row?.backend, row?.client_port], ['everybody', 'everybody/own', peer.localPort]);
    assert.deepEqual([row?.backend_ip, row?.backend_port], ['127.0.0.1', backend.port]);
  });
});

describe('DELETE /api/v1/connections', TIME_LIMIT, () => {
  it('resets one while it transfers, both sides see it, and its places come back', async (t) => {
    const { proxy, api, backends } = await rig(t);
    const kept = await relayed(t, proxy);
    const peer = await relayed(t, proxy);
    const row = (await list(api)).find(({ client_port: port }) => port === peer.localPort);
    assert.ok(row);
    // Neither side reads on: bytes wait everywhere when it ends.
    peer.writeSlowly(MEGABYTE).catch(() => undefined);
    assert.deepEqual(await api.send('DELETE', `/api/v1/connections/${row.id}`), { status: 204, body: null });
    assert.equal(await peer.ending(), 'ECONNRESET');
    const backend = backends.find(({ port }) => port === row.backend_port);
    await eventually('the backend sees it', () => backend?.peers.some(({ socket }) => socket.destroyed));
    assert.equal((await api.send('DELETE', `/api/v1/connections/${row.id}`)).status, 404);
    assert.deepEqual(
      (await list(api)).map(({ client_port: port }) => port),
      [kept.localPort],
    );
    const { counters } = proxy;
    assert.equal(counters.ended('killed'), 1);
    assert.equal(counters.gauges('ACTIVE'), 1);
    // Its place goes to another one, its id does not.
    const next = await relayed(t, proxy);
    assert.equal((await api.send('DELETE', `/api/v1/connections/${row.id}`)).status, 404);
    for (const other of [kept, next]) {
      await other.end();
      assert.equal(await other.ending(), 'end');
    }
    await atRest(proxy, 2);
  });

  it('resets those of a backend, and nobody else', async (t) => {
    const { proxy, api } = await rig(t);
    const peers = await Promise.all(Array.from({ length: 200 }, () => relayed(t, proxy)));
    const rows = await list(api);
    const doomed = new Set(rows.filter(({ backend }) => backend === 'b0').map(({ client_port: port }) => port));
    // A socket that is closed has forgotten its port.
    const [killed, living] = [true, false].map((is) => peers.filter(({ localPort }) => doomed.has(localPort) === is));
    assert.ok(killed && living && killed.length > 10 && living.length > 0);
    for (const peer of peers) peer.writeSlowly('x'.repeat(1000)).catch(() => undefined);
    const few = await api.send('DELETE', '/api/v1/connections?backend=b0&limit=10');
    assert.deepEqual(few, { status: 200, body: { killed: 10, partial: true, missing_workers: [] } });
    const rest = await api.send('DELETE', '/api/v1/connections?backend=b0');
    assert.deepEqual(rest.body, { killed: doomed.size - 10, partial: false, missing_workers: [] });
    for (const peer of killed) assert.equal(await peer.ending(), 'ECONNRESET');
    for (const peer of living) assert.equal((await peer.read(1000)).length, 1000);
    assert.equal(proxy.counters.ended('killed'), doomed.size);
    const all = await api.send('DELETE', '/api/v1/connections?all=true');
    assert.deepEqual(all.body, { killed: living.length, partial: false, missing_workers: [] });
    await atRest(proxy, 2);
  });

  it('ends UDP sessions, whose clients begin others', async (t) => {
    const backend = await udpPeer(t, { answer: echoed });
    const env = { EDGEPROXY_UDP_LISTEN_ADDR: '127.0.0.1:0' };
    const { proxy, api } = await startWithApi(t, { backends: [{ port: backend.port }], env });
    const [, udp] = proxy.listen;
    assert.ok(udp);
    const client = await udpPeer(t);
    client.send('one', udp);
    await client.next();
    const [row] = await list(api);
    assert.deepEqual([row?.protocol, row?.state, row?.listener], ['udp', 'relaying', udp.name]);
    assert.deepEqual([row?.client_port, row?.backend_port, row?.bytes_received], [client.port, backend.port, 3]);
    assert.equal((await api.send('DELETE', `/api/v1/connections/${row?.id}`)).status, 204);
    assert.equal(proxy.counters.gauges('UDP_SESSIONS'), 0);
    assert.equal(proxy.counters.ended('killed'), 1);
    client.send('two', udp);
    assert.equal(String((await client.next()).bytes), 'two');
    assert.notEqual((await list(api))[0]?.id, row?.id);
  });
});

describe('bindings', TIME_LIMIT, () => {
  it('are listed and forgotten, by client, by backend, or all', async (t) => {
    const { proxy, api } = await rig(t, { EDGEPROXY_BINDING_TTL_SECS: '600' });
    const sources = Array.from({ length: 10 }, (_, i) => `127.0.0.${i + 1}`);
    for (const localAddress of sources) {
      const peer = await connectPeer(t, proxy, { localAddress });
      await peer.write('x');
      await peer.read(1);
    }
    const bound = async (query = ''): Promise<readonly { key: string; backend: string; expires_in_secs: number }[]> => {
      const { status, body } = await api.send('GET', `/api/v1/bindings?${query}`);
      assert.equal(status, 200);
      return (body as { bindings: { key: string; backend: string; expires_in_secs: number }[] }).bindings;
    };
    const remove = async (query = ''): Promise<unknown> => (await api.send('DELETE', `/api/v1/bindings?${query}`)).body;
    const all = await bound();
    assert.equal(all.length, 10);
    assert.ok(all.every((it) => it.expires_in_secs > 0 && it.expires_in_secs <= 601));
    const [own] = await bound('client=127.0.0.3');
    assert.ok(own !== undefined && all.some(({ key }) => key === own.key));
    assert.deepEqual(await remove('client=127.0.0.3'), { removed: 1 });
    assert.deepEqual(await bound('client=127.0.0.3'), []);
    const ofB0 = await bound('backend=b0');
    assert.deepEqual(await remove('backend=b0'), { removed: ofB0.length });
    assert.deepEqual(await remove('all=true'), { removed: 9 - ofB0.length });
    assert.deepEqual(await bound(), []);
  });
});

describe('what nobody should send', TIME_LIMIT, () => {
  it('is refused, and ends nothing', async (t) => {
    const { proxy, api } = await rig(t);
    const peer = await relayed(t, proxy);
    const text = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }),
      fc.stringMatching(/^[0-9a-fu.-]{1,40}$/),
    );
    const paths = fc.oneof(
      text.map((it) => ['DELETE', `/api/v1/connections/${encodeURIComponent(it)}`] as const),
      text.map((it) => ['GET', `/api/v1/connections?cursor=${encodeURIComponent(it)}`] as const),
      text.map((it) => ['GET', `/api/v1/bindings?cursor=${encodeURIComponent(it)}`] as const),
      text.map((it) => ['DELETE', `/api/v1/connections?client=${encodeURIComponent(it)}`] as const),
    );
    const refuses = fc.asyncProperty(paths, async ([method, path]) => {
      const { status } = await api.send(method, path);
      assert.ok([200, 400, 404].includes(status), `${path}: ${status}`);
    });
    await fc.assert(refuses, { numRuns: 200 });
    for (const query of [
      '',
      'limit=5',
      'all=yes',
      'nonsense=1',
      'limit=0',
      'worker=-1',
      'worker=',
      'worker=&limit=5',
      'client=300.0.0.1&all=true',
    ])
      assert.equal((await api.send('DELETE', `/api/v1/connections?${query}`)).status, 400, query);
    for (const cursor of ['999.9999999999', '0.4294967296', '0.8589934592', '0.4294967295', '1.7'])
      assert.deepEqual((await page(api, `cursor=${cursor}`)).missing_workers, [], cursor);
    await peer.write('alive');
    assert.equal(String(await peer.read(5)), 'alive');
  });
});
