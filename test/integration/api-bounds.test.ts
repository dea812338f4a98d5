/** Who may ask the admin API, how much and how often; and that nothing that is sent to it does harm. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { errorSchema } from '../../src/adapters/inbound/api/schemas/error-schema.js';
import { API_ENV, AdminApi, registration } from '../support/admin-api.js';
import { echo } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { upgrade } from '../support/generations.js';
import { connectPeer } from '../support/peer.js';
import { spawnProxy, startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { suiteOwner } from '../support/suite-owner.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 180_000 };
const TOKEN = 'correct horse battery staple ü';
/** An address of this process's own on the loopback: at an upgrade the port must be known before. */
const OWN_ADDRESS = `127.79.${(process.pid >> 8) & 255}.${process.pid & 255}:8081`;

/** What comes back until the other side ends the connection. */
async function raw(api: AdminApi, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += String(data))).on('error', () => undefined);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

/** Connects from that address and says nothing, nor closes its own side when the other does. */
function silent(owner: TestContext, api: AdminApi, localAddress: string): Socket {
  const { hostname, port } = new URL(api.url);
  const socket = connect({ port: Number(port), host: hostname, localAddress, allowHalfOpen: true });
  socket.on('error', () => undefined).resume();
  owner.after(() => socket.destroy());
  return socket;
}

describe('the admin API with a token', TIME_LIMIT, () => {
  const owner = suiteOwner();
  let api: AdminApi;
  let proxy: ProxyProcess;

  before(async () => {
    proxy = await startProxy(owner, { env: { ...API_ENV, EDGEPROXY_API_TOKEN: TOKEN } });
    api = await AdminApi.of(proxy);
  });

  it('is kept from nobody by an address that connects as often as it can and says nothing', async (t) => {
    const flood = Array.from({ length: 600 }, () => silent(t, api, '127.66.0.1'));
    const closed = (socket: Socket): boolean => socket.destroyed || socket.readableEnded;
    await eventually('its connections beyond its share are ended', () => flood.filter(closed).length >= 600 - 128);
    await api.expect(200, 'GET', '/health');
    await eventually('the others are, too, having said nothing', () => flood.every(closed));
    const again = Array.from({ length: 128 }, () => silent(t, api, '127.66.0.1'));
    await eventually('whoever does not close its side has no place', () =>
      again.every(({ connecting }) => !connecting),
    );
    await api.expect(200, 'GET', '/health');
    assert.ok(
      again.some((socket) => !closed(socket)),
      'the first still have the places of the others',
    );
  });

  it('answers who has it, and nobody else but for what everybody may know', async () => {
    for (const token of [undefined, 'wrong', `${TOKEN}x`, TOKEN.slice(1), '']) {
      const sent =
        token === undefined ? {} : { headers: { authorization: `Bearer ${Buffer.from(token).toString('latin1')}` } };
      for (const [method, path] of [
        ['GET', '/api/v1/stats'],
        ['POST', '/api/v1/register'],
        ['DELETE', '/api/v1/backends/x'],
        ['POST', '/api/v1/reload'],
      ] as const) {
        const { status, headers } = await api.ask(method, path, sent);
        assert.equal(status, 401, `${method} ${path} ${String(token)}`);
        assert.equal(headers.get('www-authenticate'), 'Bearer realm="edgeproxy"');
      }
    }
    const headers = { authorization: `bearer ${Buffer.from(TOKEN).toString('latin1')}`, host: 'elsewhere.test' };
    await api.expect(200, 'GET', '/api/v1/stats', { headers });
    await api.expect(200, 'GET', '/health');
    await api.expect(200, 'GET', '/openapi.json');
  });

  it('writes it to no log', () => {
    assert.equal(JSON.stringify(proxy.log.lines).includes('battery'), false);
  });
});

describe('the admin API without a token', TIME_LIMIT, () => {
  const owner = suiteOwner();
  let api: AdminApi;

  before(async () => {
    api = await AdminApi.of(await startProxy(owner, { env: API_ENV }));
  });

  it('is not for pages of other sites, nor for names that were made to lead here', async () => {
    const { port } = new URL(api.url);
    const ask = (headers: string): Promise<string> =>
      raw(api, `GET /health HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);
    for (const host of [`127.0.0.1:${port}`, 'localhost', `LOCALHOST:${port}`, '[::1]:1', '127.1.2.3'])
      assert.match(await ask(`Host: ${host}`), /^HTTP\/1.1 200 /, host);
    for (const host of ['evil.test', '10.0.0.1', 'localhost.evil.test', '127.0.0.1.evil.test', ''])
      assert.match(await ask(`Host: ${host}`), /^HTTP\/1.1 403 /, host);
    const own = `Host: localhost:${port}\r\n`;
    assert.match(await ask(`${own}Origin: http://localhost:${port}\r\nSec-Fetch-Site: same-origin`), /^HTTP\/1.1 200 /);
    for (const header of [
      'Origin: http://evil.test',
      'Origin: null',
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Site: same-site',
    ])
      assert.match(await ask(own + header), /^HTTP\/1.1 403 /, header);
  });

  it('says what is wrong with a body, where and why', async () => {
    const right = registration('a', 80);
    const wrong: [field: string | undefined, body: unknown, reason: RegExp][] = [
      ['id', { ...right, id: undefined }, /^is missing$/],
      ['id', { ...right, id: '' }, /^is empty$/],
      ['id', { ...right, id: 'a\u001b[2J' }, /unprintable/],
      ['id', { ...right, id: 'x'.repeat(256) }, /longer than 255/],
      ['app', { ...right, app: 5 }, /^expected string$/],
      ['country', { ...right, country: 'BRA' }, /two-letter/],
      ['ip', { ...right, ip: 'example.com' }, /not an IPv4/],
      ['ip', { ...right, ip: 'unix:/run/docker.sock' }, /not an IPv4/],
      ['ip', { ...right, ip: '0.0.0.0' }, /unspecified/],
      ['ip', { ...right, ip: '224.0.0.1' }, /multicast/],
      ['port', { ...right, port: 0 }, /./],
      ['port', { ...right, port: '80' }, /^expected number$/],
      ['port', { ...right, port: 1.5 }, /./],
      ['weight', { ...right, weight: -1 }, /./],
      ['hard_limit', { ...right, hard_limit: 2 ** 31 }, /./],
      ['wieght', { ...right, wieght: 1 }, /^is not a known field$/],
      [undefined, [], /^expected object$/],
      [undefined, '{', /JSON/],
      [undefined, '{"__proto__": {"id": "a"}}', /./],
    ];
    for (const [field, body, reason] of wrong) {
      const error = await api.refuses(400, 'POST', '/api/v1/register', { body });
      assert.deepEqual([error['code'], error['field']], ['invalid_request', field], JSON.stringify(body));
      assert.match(error['reason'] ?? '', reason, JSON.stringify(body));
    }
    for (const path of ['/api/v1/backends?limit=x', '/api/v1/backends?limit=1001', '/api/v1/backends?offset=-1'])
      assert.match((await api.refuses(400, 'GET', path))['field'] ?? '', /^(limit|offset)$/, path);
    assert.equal(
      (await api.refuses(400, 'PATCH', '/api/v1/backends/a', { body: {} }))['reason'],
      'there is nothing to change',
    );
    assert.equal((await api.expect(200, 'GET', '/api/v1/backends'))['total'], 0);
  });

  it('has one form for every error', async () => {
    const headers = { 'content-type': 'text/plain' };
    assert.equal(
      (await api.refuses(415, 'POST', '/api/v1/register', { body: 'x', headers }))['code'],
      'unsupported_media_type',
    );
    const body = JSON.stringify(registration('x'.repeat(20_000), 1));
    assert.equal((await api.refuses(413, 'POST', '/api/v1/register', { body }))['code'], 'body_too_large');
    assert.equal((await api.refuses(404, 'GET', '/nowhere'))['code'], 'not_found');
    assert.equal((await api.refuses(400, 'GET', '/api/v1/backends/%zz'))['code'], 'invalid_request');
    const { status, headers: sent } = await api.ask('PUT', '/api/v1/backends/a', { body: {} });
    assert.deepEqual([status, sent.get('allow')], [405, 'GET, PATCH, DELETE']);
    const [head, text = ''] = (await raw(api, 'NOT HTTP AT ALL\r\n\r\n')).split('\r\n\r\n');
    assert.match(head ?? '', /^HTTP\/1.1 400 /);
    errorSchema.parse(JSON.parse(text));
  });

  it('withstands any body', async () => {
    const fields = fc.record(
      Object.fromEntries(
        ['id', 'app', 'region', 'country', 'ip', 'port', 'weight', '__proto__'].map((name) => [name, fc.jsonValue()]),
      ),
      { requiredKeys: [] },
    );
    const bodies = fc.oneof(
      fc.json(),
      fields.map((value) => JSON.stringify(value)),
      fc.string(),
    );
    const property = fc.asyncProperty(bodies, async (body) => {
      const answer = await api.ask('POST', '/api/v1/register', { body: body || ' ' });
      assert.equal(answer.status, 400, body);
      errorSchema.parse(answer.body);
    });
    await fc.assert(property, { numRuns: 150 });
    await api.expect(200, 'GET', '/health');
  });
});

describe('bounds of the admin API', TIME_LIMIT, () => {
  it('ends who sends slowly or too much, and serves the others meanwhile', async (t) => {
    const proxy = await startProxy(t, { env: API_ENV });
    const api = await AdminApi.of(proxy);
    const head = 'POST /api/v1/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const slow = [
      raw(api, 'GET /health HTT'),
      raw(api, `${head}Content-Length: 100\r\n\r\n{"id":`),
      raw(api, `${head}Content-Length: 10000000\r\n\r\n${'x'.repeat(100_000)}`),
      raw(
        api,
        `${head}Transfer-Encoding: chunked\r\n\r\n4000\r\n${'x'.repeat(0x4000)}\r\n4000\r\n${'x'.repeat(0x4000)}\r\n`,
      ),
      raw(api, `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
    ];
    await api.expect(200, 'GET', '/health');
    const [unfinished, halfBody, huge, chunked, header] = await Promise.all(slow);
    assert.match(unfinished ?? '', /^(HTTP\/1.1 4\d\d |$)/);
    assert.match(halfBody ?? '', /^(HTTP\/1.1 4\d\d |$)/);
    assert.match(huge ?? '', /^HTTP\/1.1 413 /);
    assert.match(chunked ?? '', /^HTTP\/1.1 413 /);
    assert.match(header ?? '', /^HTTP\/1.1 4\d\d /);
  });

  it('limits how often an address asks', async (t) => {
    const proxy = await startProxy(t, { env: { ...API_ENV, EDGEPROXY_API_RATE_LIMIT: '1' } });
    const api = await AdminApi.of(proxy);
    const refused = await eventually('somebody is refused', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => api.ask('GET', '/health')));
      return answers.find(({ status }) => status === 429);
    });
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    assert.equal((refused.body['error'] as Record<string, unknown>)['code'], 'rate_limited');
  });

  it('wants a token where others could reach it, before anything starts', async (t) => {
    const env = { ...API_ENV, EDGEPROXY_API_LISTEN_ADDR: '0.0.0.0:0' };
    const proxy = await spawnProxy(t, { env });
    assert.deepEqual(await proxy.exit, { code: 2, signal: null });
    assert.match(proxy.stderr, /EDGEPROXY_API_TOKEN: there is none.*0\.0\.0\.0:0.*expected a token/);
    const other = await startProxy(t, { env: { ...env, EDGEPROXY_API_TOKEN: 'x' } });
    await AdminApi.of(other);
  });

  it('ends the start where its address cannot be had', async (t) => {
    const proxy = await startProxy(t, { env: API_ENV });
    const { host } = new URL((await AdminApi.of(proxy)).url);
    const other = await spawnProxy(t, { env: { ...API_ENV, EDGEPROXY_API_LISTEN_ADDR: host } });
    assert.deepEqual(await other.exit, { code: 2, signal: null });
    assert.equal(other.log.lines.find(({ level }) => level === 'error')?.['code'], 'EP_API_LISTEN');
  });
});

describe('the admin API and the life of the proxy', TIME_LIMIT, () => {
  it('goes over to the new version at an upgrade, with who is registered', async (t) => {
    const backend = await startBackend(t, echo);
    const env = { ...API_ENV, EDGEPROXY_API_LISTEN_ADDR: OWN_ADDRESS, EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '60' };
    const proxy = await startProxy(t, { env });
    const api = await AdminApi.of(proxy);
    await api.expect(201, 'POST', '/api/v1/register', { body: registration('a', backend.port) });
    // The old version stays as long as its client.
    const peer = await connectPeer(t, proxy);
    await peer.write('x');
    await peer.read(1);
    const served = proxy.log.next(({ msg }) => msg === 'the admin API is served');
    await upgrade(proxy);
    await served;
    await api.expect(200, 'POST', '/api/v1/heartbeat/a');
    assert.equal((await api.expect(200, 'GET', '/health'))['registered_backends'], 1);
    await peer.write('y');
    assert.equal(String(await peer.read(1)), 'y');
  });

  it('reloads as SIGHUP does, and tells why where that is refused', async (t) => {
    const file = await ConfigFile.make(t, {});
    file.writeText('[timeouts]\nidle_secs = 5\n');
    const proxy = await startProxy(t, { env: API_ENV, args: ['--config', file.path] });
    const api = await AdminApi.of(proxy);
    file.writeText('[timeouts]\nidle_secs = 6\n');
    assert.deepEqual((await api.expect(200, 'POST', '/api/v1/reload'))['changed'], ['timeouts.idle_secs']);
    file.writeText('[timeouts]\nidle_secs = "x"\n');
    const { code, problems } = await api.refuses(422, 'POST', '/api/v1/reload');
    assert.equal(code, 'refused');
    assert.match(String(problems), /:2: timeouts\.idle_secs: "x" is not valid/);
    await reload(proxy, /the old one stays in force$/);
    const events = await api.expect(200, 'GET', '/api/v1/events');
    assert.match(JSON.stringify(events), /"kind":"error","reason":"[^"]*the configuration is wrong/);
  });
});
