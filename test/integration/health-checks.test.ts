/** Active health checks of a running proxy: who is down gets no new clients, who comes back gets them again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { banner, echo, stall } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import type { LogLine } from '../support/log-lines.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { addBackend, edit, reload } from '../support/routing-edits.js';
import type { BackendSpec } from '../support/routing-file.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend, type Behaviour, type TcpBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const NAME_CHARS = 4;

/** Without retries: a client that meets a dead backend is a client lost. */
const CHECKS = {
  EDGEPROXY_BINDING_TTL_SECS: '0',
  EDGEPROXY_CONNECT_RETRIES: '0',
  EDGEPROXY_HEALTH_CHECK_ENABLED: 'on',
  EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '0.1',
  // Longer than a busy machine makes a backend wait.
  EDGEPROXY_HEALTH_CHECK_TIMEOUT_SECS: '20',
  EDGEPROXY_DB_RELOAD_SECS: '600',
};

function startChecked(owner: Owner, backends: readonly BackendSpec[], env: Record<string, string> = {}) {
  return startProxy(owner, { backends, env: { ...CHECKS, ...env } });
}

/** The next change of that backend's health; by the time of the log line every worker knows. */
function nextChange(proxy: ProxyProcess, id: string, to: 'up' | 'down'): Promise<LogLine> {
  return proxy.log.next(({ msg, backend }) => msg === `backend is ${to}` && backend === id);
}

async function visit(owner: Owner, proxy: ProxyProcess): Promise<{ name: string; peer: Peer }> {
  const peer = await connectPeer(owner, proxy);
  return { name: String(await peer.read(NAME_CHARS)), peer };
}

/** Whom so many clients meet, one after the other. */
async function namesFor(owner: Owner, proxy: ProxyProcess, clients = 20): Promise<string> {
  const names = new Set<string>();
  for (let client = 0; client < clients; client++) {
    const { name, peer } = await visit(owner, proxy);
    names.add(name);
    peer.close();
  }
  return [...names].sort().join(' ');
}

async function assertEchoes(peer: Peer): Promise<void> {
  await peer.write('ping');
  assert.equal(String(await peer.read(4)), 'ping');
}

/** Answers every request with that status, until told another one. */
async function startStatusPage(
  owner: Owner,
  host = '127.0.0.1',
): Promise<{ page: TcpBackend; set(code: number): void }> {
  let status = 200;
  const answer: Behaviour = ({ socket }) => {
    socket.once('data', () => socket.end(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`));
  };
  const page = await startBackend(owner, answer, { host });
  return { page, set: (code) => void (status = code) };
}

describe('a backend that cannot be connected to', TIME_LIMIT, () => {
  it('gets no new clients from the check on that settles it, keeps its connections, and gets clients when it is back', async (t) => {
    const good = await startBackend(t, banner('good'));
    const gone = await startBackend(t, banner('gone'));
    const proxy = await startChecked(t, [{ port: good.port }, { port: gone.port }]);
    assert.equal(await namesFor(t, proxy), 'gone good');
    await edit(proxy, { b0: { weight: 0 } });
    const { name, peer } = await visit(t, proxy);
    assert.equal(name, 'gone');
    await edit(proxy, { b0: { weight: 1 } });

    const down = nextChange(proxy, 'b1', 'down');
    await gone.stopListening();
    assert.deepEqual(await down.then(({ level, check, reason }) => [level, check, reason]), ['warn', 'tcp', 'refused']);
    assert.equal(await namesFor(t, proxy), 'good');
    await assertEchoes(peer);

    const up = nextChange(proxy, 'b1', 'up');
    await startBackend(t, banner('back'), { port: gone.port });
    await up;
    assert.equal(await namesFor(t, proxy), 'back good');
    await assertEchoes(peer);
    assert.equal(proxy.counters.rejected('connect_failed'), 0);
  });

  it('is down by its first check where it never was up', async (t) => {
    const good = await startBackend(t, banner('good'));
    const dead = await startBackend(t);
    await dead.stopListening();
    const env = { EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '600', EDGEPROXY_HEALTH_UNHEALTHY_THRESHOLD: '1000' };
    const proxy = await startChecked(t, [{ port: good.port }, { port: dead.port }], env);
    await proxy.waitForLog(({ msg, backend }) => msg === 'backend is down' && backend === 'b1');
    assert.equal(await namesFor(t, proxy), 'good');
  });

  it('loses its connections where HEALTH_CLOSE_CONNECTIONS is on, and nobody else does', async (t) => {
    const good = await startBackend(t, banner('good'));
    const gone = await startBackend(t, banner('gone'));
    const env = { EDGEPROXY_HEALTH_CLOSE_CONNECTIONS: 'on' };
    const proxy = await startChecked(t, [{ port: good.port }, { port: gone.port }], env);
    const visits = await Promise.all(Array.from({ length: 20 }, () => visit(t, proxy)));
    const [kept, lost] = ['good', 'gone'].map((wanted) => visits.filter(({ name }) => name === wanted));
    assert.ok(kept !== undefined && lost !== undefined && kept.length > 0 && lost.length > 0);
    await gone.stopListening();
    for (const { peer } of lost) assert.equal(await peer.ending(), 'ECONNRESET');
    for (const { peer } of kept) await assertEchoes(peer);
    assert.equal(proxy.counters.ended('backend_unhealthy'), lost.length);
  });
});

describe('a backend with an http check', TIME_LIMIT, () => {
  it('goes by the status of a page on a port of its own', async (t) => {
    const good = await startBackend(t, banner('good'));
    const sick = await startBackend(t, banner('sick'));
    const status = await startStatusPage(t, '::1');
    const overrides = { healthPort: status.page.port, healthType: 'http', healthPath: '/ready' } as const;
    const sickOne = await startBackend(t, banner('sick'), { host: '::1' });
    await sick.stopListening();
    const proxy = await startChecked(t, [{ port: good.port }, { address: '::1', port: sickOne.port, overrides }], {
      EDGEPROXY_HEALTH_CHECK_STATUS: '200,300-399',
    });
    assert.equal(await namesFor(t, proxy), 'good sick');
    const down = nextChange(proxy, 'b1', 'down');
    status.set(503);
    assert.deepEqual(await down.then(({ check, reason }) => [check, reason]), ['http', 'status 503']);
    assert.equal(await namesFor(t, proxy), 'good');
    const up = nextChange(proxy, 'b1', 'up');
    status.set(302);
    await up;
    assert.equal(await namesFor(t, proxy), 'good sick');
  });

  it('must say what is expected, one with a check of the other type need not', async (t) => {
    const good = await startBackend(t, banner('good'));
    const status = await startStatusPage(t);
    const proxy = await startChecked(
      t,
      [{ port: good.port, overrides: { healthType: 'tcp' } }, { port: status.page.port }],
      {
        EDGEPROXY_HEALTH_CHECK_TYPE: 'http',
        EDGEPROXY_HEALTH_CHECK_EXPECT: 'ready',
      },
    );
    const down = await proxy.waitForLog(({ msg }) => msg === 'backend is down');
    assert.deepEqual([down['backend'], down['reason']], ['b1', 'answered, but not "ready"']);
    assert.equal(await namesFor(t, proxy), 'good');
  });

  it('warns of something to send, which it does not', async (t) => {
    const env = { EDGEPROXY_HEALTH_CHECK_TYPE: 'http', EDGEPROXY_HEALTH_CHECK_SEND: 'PING' };
    const proxy = await startChecked(t, [], env);
    await proxy.waitForLog(({ level, msg }) => level === 'warn' && /^HEALTH_CHECK_SEND is for tcp/.test(String(msg)));
  });

  it('follows what the routing database says while the proxy runs', async (t) => {
    const good = await startBackend(t, banner('good'));
    const other = await startBackend(t, banner('odd!'));
    const status = await startStatusPage(t);
    status.set(500);
    const env = { EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '0.2' };
    const proxy = await startChecked(t, [{ port: good.port }, { port: other.port }], env);
    const down = nextChange(proxy, 'b1', 'down');
    await edit(proxy, { b1: { health_port: status.page.port, health_type: 'http' } });
    assert.equal((await down)['reason'], 'status 500');
    const up = nextChange(proxy, 'b1', 'up');
    await edit(proxy, { b1: { health_port: null, health_type: null } });
    await up;
    assert.equal(await namesFor(t, proxy), 'good odd!');
  });
});

describe('a tcp check that sends and expects', TIME_LIMIT, () => {
  it('finds out who does not answer as it should', async (t) => {
    const good = await startBackend(t, echo);
    const mute = await startBackend(t, stall);
    const env = {
      EDGEPROXY_HEALTH_CHECK_SEND: String.raw`PING\r\n`,
      EDGEPROXY_HEALTH_CHECK_EXPECT: String.raw`\x50ING`,
      EDGEPROXY_HEALTH_CHECK_TIMEOUT_SECS: '2',
    };
    const proxy = await startChecked(t, [{ port: good.port }, { port: mute.port }], env);
    const line = await proxy.waitForLog(({ msg, backend }) => msg === 'backend is down' && backend === 'b1');
    assert.equal(line['reason'], 'timeout');
    assert.deepEqual(
      proxy.log.lines.filter(({ msg, backend }) => msg === 'backend is down' && backend === 'b0'),
      [],
    );
    assert.ok(good.peers.length > 0);
  });
});

describe('with every backend down', TIME_LIMIT, () => {
  const startSick = async (t: Owner, panicPercent: string): Promise<ProxyProcess> => {
    const status = await startStatusPage(t);
    status.set(500);
    const overrides = { healthPort: status.page.port, healthType: 'http' } as const;
    const backends = [await startBackend(t, banner('one!')), await startBackend(t, banner('two!'))];
    const proxy = await startChecked(
      t,
      backends.map(({ port }) => ({ port, overrides })),
      { EDGEPROXY_PANIC_THRESHOLD_PERCENT: panicPercent },
    );
    for (const id of ['b0', 'b1']) {
      await proxy.waitForLog(({ msg, backend }) => msg === 'backend is down' && backend === id);
    }
    return proxy;
  };

  it('clients are tried all the same, below the panic threshold', async (t) => {
    const proxy = await startSick(t, '10');
    await proxy.waitForLog(({ msg }) => /^panic: too few backends are available/.test(String(msg)));
    assert.equal(await namesFor(t, proxy), 'one! two!');
  });

  it('clients are turned away where the panic threshold is 0', async (t) => {
    const proxy = await startSick(t, '0');
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    assert.equal(proxy.counters.rejected('no_backend'), 1);
  });
});

describe('health checks and the rest of the proxy', TIME_LIMIT, () => {
  it('check nobody unless switched on', async (t) => {
    const backend = await startBackend(t, banner('good'));
    const proxy = await startChecked(t, [{ port: backend.port }], { EDGEPROXY_HEALTH_CHECK_ENABLED: 'off' });
    assert.equal(await namesFor(t, proxy, 3), 'good');
    assert.equal(backend.peers.length, 3);
  });

  it('leave a removed backend alone, and give its slot to the next one as one that is up', async (t) => {
    const good = await startBackend(t, banner('good'));
    const dead = await startBackend(t);
    await dead.stopListening();
    const env = { EDGEPROXY_MAX_BACKENDS: '2', EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '600' };
    const proxy = await startChecked(t, [{ port: good.port }, { port: dead.port }], env);
    await proxy.waitForLog(({ msg, backend }) => msg === 'backend is down' && backend === 'b1');
    const slot = proxy.counters.slotOf(dead.port);
    const next = await startBackend(t, banner('next'));
    await edit(proxy, { b1: { deleted: 1 } });
    addBackend(proxy.databasePath, { id: 'b2', wg_ip: '127.0.0.1', port: next.port, region: 'sa' });
    await reload(proxy);
    assert.equal(proxy.counters.slotOf(next.port), slot);
    await eventually('both get clients', async () => (await namesFor(t, proxy)) === 'good next');
  });

  it('tell every backend of them that they are over with a reset, whatever it does', async (t) => {
    const backend = await startBackend(t);
    await startChecked(t, [{ port: backend.port }]);
    for (let checks = 0; checks < 3; checks++) assert.equal(await (await backend.nextPeer()).ending(), 'ECONNRESET');
  });

  it('end with the proxy', async (t) => {
    const mute = await startBackend(t, stall);
    const env = { EDGEPROXY_HEALTH_CHECK_EXPECT: 'never', EDGEPROXY_HEALTH_CHECK_TIMEOUT_SECS: '600' };
    const proxy = await startChecked(t, [{ port: mute.port }], env);
    await mute.nextPeer();
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });
});
