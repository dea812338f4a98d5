/** The configuration changes under a running proxy: by SIGHUP, and by the watcher. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { RejectReason } from '../../src/domain/shared/layout.js';
import { echo } from '../support/backend-behaviours.js';
import { startConfigured, tomlOf, type ConfiguredProxy, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import type { LogLine } from '../support/log-lines.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { childPids } from '../support/process-facts.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded/;
const WAITING = /^these settings keep their old values until the next start$/;
const REFUSED = /^the configuration is wrong; the old one stays in force$/;
const BASE = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } } satisfies Tables;
/** Long enough for a client to be served where it was not held back. */
const HELD_BACK_MS = 300;

async function start(owner: Owner, tables: Tables, options: ProxyOptions = {}): Promise<ConfiguredProxy> {
  const { port } = await startBackend(owner, echo);
  return startConfigured(owner, { ...BASE, ...tables }, { backends: [{ port }], ...options });
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

async function isHeldBack(answer: Promise<unknown>): Promise<boolean> {
  const late = new Promise((resolve) => setTimeout(resolve, HELD_BACK_MS, 'late'));
  return (await Promise.race([answer, late])) === 'late';
}

/** Workers hear of a reload a moment after the log: some client is turned away for that reason, sooner or later. */
async function untilRejected(t: Owner, proxy: ProxyProcess, reason: RejectReason): Promise<void> {
  await eventually(`a client is turned away: ${reason}`, async () => {
    const peer = await connectPeer(t, proxy).catch(() => null);
    await peer?.end('x').catch(() => undefined);
    await peer?.ending();
    return proxy.counters.rejected(reason) > 0;
  });
}

function errorsOf(proxy: ProxyProcess): string[] {
  return proxy.log.lines.filter(({ level }) => level === 'error').map(({ msg }) => String(msg));
}

function nextLine(proxy: ProxyProcess, outcome: RegExp): Promise<LogLine> {
  return proxy.log.next(({ msg }) => outcome.test(String(msg)));
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`SIGHUP, ${accept}`, TIME_LIMIT, () => {
    it('applies another limit to clients that wait, while a connection stays and its bytes flow', async (t) => {
      const { proxy, file } = await start(t, { limits: { max_connections_per_worker: 1 } }, { workers: 1, accept });
      const before = childPids(proxy.pid);
      const first = await connectPeer(t, proxy);
      await assertEchoes(first, 'first');
      const second = await connectPeer(t, proxy);
      const answer = assertEchoes(second, 'second');
      assert.ok(await isHeldBack(answer), 'the limit did not hold');
      file.write({ ...BASE, limits: { max_connections_per_worker: 2 } });
      const line = await reload(proxy, RELOADED);
      assert.deepEqual(line['changes'], { 'limits.max_connections_per_worker': { from: 1, to: 2 } });
      await answer;
      await assertEchoes(first, 'still here');
      assert.deepEqual(childPids(proxy.pid), before);
    });

    it('applies a shorter timeout to the connections that are there', async (t) => {
      const { proxy, file } = await start(t, {}, { accept });
      const { counters } = proxy;
      const peers = await Promise.all([1, 2, 3].map(() => connectPeer(t, proxy)));
      for (const peer of peers) await assertEchoes(peer, 'open');
      file.write({ ...BASE, timeouts: { idle_secs: 0.2 } });
      await reload(proxy, RELOADED);
      const endings = await Promise.all(peers.map((peer) => peer.ending()));
      assert.deepEqual(endings, ['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
      assert.equal(counters.ended('idle_timeout'), 3);
    });
  });
}

describe('SIGHUP', TIME_LIMIT, () => {
  it('refuses a wrong file with all its errors, and the old configuration stays in force', async (t) => {
    const { proxy, file } = await start(t, { limits: { max_connections_per_worker: 1 } }, { workers: 1 });
    const peer = await connectPeer(t, proxy);
    await assertEchoes(peer, 'before');
    file.writeText(
      tomlOf({
        server: { tcp_bind: '127.0.0.1:0', accept: 'both' },
        limits: { max_connections_per_worker: 50 },
        timeouts: { idle_secs: 'long' },
        servers: { accept: 'handoff' },
      }),
    );
    await reload(proxy, REFUSED);
    assert.deepEqual(errorsOf(proxy), [
      `${file.path}:3: server.accept: "both" is not valid; expected one of handoff, reuseport`,
      `${file.path}:9: timeouts.idle_secs: "long" is not valid; expected seconds from 0 to 2592000, at most three decimals`,
      `${file.path}:11: [servers] is not a known section; did you mean [server]?`,
      'the configuration is wrong; the old one stays in force',
    ]);
    const waiting = assertEchoes(await connectPeer(t, proxy), 'waits');
    assert.ok(await isHeldBack(waiting), 'a part of the wrong file was applied');
    await assertEchoes(peer, 'after');
    file.write({ ...BASE, limits: { max_connections_per_worker: 50 } });
    await reload(proxy, RELOADED);
    await waiting;
  });

  it('applies a log level at once, and a region, intervals and the shutdown timeout', async (t) => {
    const { proxy, file } = await start(t, {}, { env: { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '' } });
    // The second line is a warning, which the new level shows; the first is not.
    file.write({ logging: { level: 'warn' }, server: BASE.server, relay: { max_pipes: 7 } });
    await reload(proxy, WAITING);
    assert.equal(proxy.log.lines.filter(({ msg }) => RELOADED.test(String(msg))).length, 0);
    file.write({ ...BASE, routing: { region: 'eu', db_reload_secs: 60 }, timeouts: { shutdown_secs: 1 } });
    const line = await reload(proxy, RELOADED);
    assert.deepEqual(line['changes'], {
      'logging.level': { from: 'warn', to: 'debug' },
      'routing.db_reload_secs': { from: 5, to: 60 },
      'routing.region': { from: 'sa', to: 'eu' },
      'timeouts.shutdown_secs': { from: 30, to: 1 },
    });
    const peer = await connectPeer(t, proxy);
    await assertEchoes(peer, 'open');
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    const draining = proxy.log.lines.find(({ msg }) => String(msg).startsWith('draining'));
    assert.equal(draining?.['timeoutSecs'], 1);
  });

  it('says which changes wait for the next start, and keeps to the old values', async (t) => {
    const { proxy, file } = await start(t, {});
    const before = childPids(proxy.pid);
    file.write({
      ...BASE,
      relay: { max_pipes: 7 },
      binding: { max_bindings: 64 },
      connect: { retries: 1 },
      routing: { geoip_path: 'a.mmdb' },
    });
    const waiting = nextLine(proxy, WAITING);
    const line = await reload(proxy, RELOADED);
    assert.deepEqual(line['changes'], { 'connect.retries': { from: 2, to: 1 } });
    assert.deepEqual((await waiting)['changes'], {
      'binding.max_bindings': { from: 262_144, to: 64 },
      'routing.geoip_path': { from: 'embedded', to: 'a.mmdb' },
      'relay.max_pipes': { from: 512, to: 7 },
    });
    assert.deepEqual(childPids(proxy.pid), before);
  });

  it('warns of RLIMIT_NOFILE again only where something about it is new', async (t) => {
    const { proxy, file } = await start(t, {}, { prefix: ['prlimit', '--nofile=400', '--'] });
    const warnings = (): number => proxy.log.lines.filter(({ msg }) => /^RLIMIT_NOFILE/.test(String(msg))).length;
    assert.equal(warnings(), 1);
    file.write({ ...BASE, connect: { retries: 1 } });
    await reload(proxy, RELOADED);
    assert.equal(warnings(), 1);
    file.write({ ...BASE, limits: { max_connections_per_worker: 9000 } });
    await reload(proxy, RELOADED);
    assert.equal(warnings(), 2);
  });

  it('lets flags and variables go before the file, as at the start', async (t) => {
    const { proxy, file } = await start(t, {}, { env: { EDGEPROXY_MAX_CONNECTIONS: '5' } });
    file.write({ ...BASE, limits: { max_connections_per_worker: 50 } });
    const line = await reload(proxy, RELOADED);
    assert.equal(line['msg'], 'configuration reloaded: nothing has changed that applies at a reload');
    assert.deepEqual(line['masked'], { 'limits.max_connections_per_worker': 'EDGEPROXY_MAX_CONNECTIONS' });
  });

  it('switches access lists, rate limits and health checks on and off', async (t) => {
    const { proxy, file } = await start(t, {});
    const peer = await connectPeer(t, proxy);
    await assertEchoes(peer, 'before');
    file.write({ ...BASE, access: { deny_cidrs: ['127.0.0.0/8'] } });
    await reload(proxy, RELOADED);
    await untilRejected(t, proxy, 'address_denied');
    file.write({ ...BASE, rate_limit: { enabled: true, max_requests: 1, window_secs: 600, burst: 1 } });
    await reload(proxy, RELOADED);
    await untilRejected(t, proxy, 'rate_limited');
    // The backend echoes, which is no answer to an http check.
    const checks = { interval: 0.1, timeout: 0.5, failure_threshold: 1, type: 'http' };
    file.write({ ...BASE, health_check: { enabled: true, ...checks }, backends: { panic_threshold_percent: 0 } });
    await reload(proxy, RELOADED);
    await untilRejected(t, proxy, 'no_backend');
    file.write(BASE);
    await reload(proxy, RELOADED);
    await eventually('clients are served again', async () => {
      const again = await connectPeer(t, proxy);
      return assertEchoes(again, 'well again').then(
        () => true,
        () => false,
      );
    });
    await assertEchoes(peer, 'still here');
  });

  it('tells workers that start later of it, too', async (t) => {
    const { proxy, file } = await start(t, {}, { workers: 1 });
    file.write({ ...BASE, timeouts: { idle_secs: 0.2 } });
    await reload(proxy, RELOADED);
    const [worker = 0] = proxy.workerPids;
    const back = nextLine(proxy, /^worker takes clients$/);
    process.kill(worker, 'SIGKILL');
    await back;
    const peer = await connectPeer(t, proxy);
    await assertEchoes(peer, 'open');
    assert.equal(await peer.ending(), 'ECONNRESET');
  });

  it('reads the databases without a file, too', async (t) => {
    const { proxy } = await start(t, {});
    rmSync(proxy.databasePath);
    await reload(proxy, /^the routing database cannot be read/);
  });
});

describe('the watcher', TIME_LIMIT, () => {
  const WATCHED = { ...BASE, config_watch: { enabled: true, interval_secs: 0.1 } } satisfies Tables;

  it('applies a file that was written or replaced, and says so once', async (t) => {
    const { proxy, file } = await start(t, WATCHED);
    const peer = await connectPeer(t, proxy);
    for (const [retries, how] of [
      [1, 'write'],
      [3, 'replace'],
      [4, 'write'],
      [5, 'replace'],
    ] as const) {
      const applied = nextLine(proxy, RELOADED);
      file[how]({ ...WATCHED, connect: { retries } });
      assert.deepEqual(((await applied)['changes'] as Record<string, { to: unknown }>)['connect.retries']?.to, retries);
    }
    await assertEchoes(peer, 'still here');
    assert.equal(proxy.log.lines.filter(({ msg }) => RELOADED.test(String(msg))).length, 4);
  });

  it('refuses a file that is only half there, and takes it when it is whole', async (t) => {
    const { proxy, file } = await start(t, WATCHED);
    const whole = tomlOf({ ...WATCHED, connect: { retries: 7 } });
    const refused = nextLine(proxy, REFUSED);
    file.replaceText(whole.slice(0, -3));
    await refused;
    const applied = nextLine(proxy, RELOADED);
    file.replaceText(whole);
    assert.deepEqual((await applied)['changes'], { 'connect.retries': { from: 2, to: 7 } });
    assert.equal(errorsOf(proxy).length, 2);
  });

  it('refuses a file without settings, keeps its listeners and lists, and goes on watching', async (t) => {
    const { proxy, file } = await start(t, { ...WATCHED, access: { deny_cidrs: ['192.0.2.0/24'] } });
    for (const text of ['', '\n\n', '# soon\n', '[server]\n']) {
      const refused = nextLine(proxy, REFUSED);
      file.writeText(text);
      await refused;
    }
    assert.match(errorsOf(proxy)[0] ?? '', /holds no settings/);
    assert.ok(!proxy.log.lines.some(({ msg }) => msg === 'listener opened' || RELOADED.test(String(msg))));
    const applied = nextLine(proxy, RELOADED);
    file.write({ ...WATCHED, connect: { retries: 7 } });
    assert.ok('connect.retries' in ((await applied)['changes'] as object));
  });

  it('keeps the old configuration while the file is gone', async (t) => {
    const { proxy, file } = await start(t, WATCHED);
    const refused = nextLine(proxy, REFUSED);
    rmSync(file.path);
    await refused;
    assert.match(errorsOf(proxy)[0] ?? '', /edgeproxy\.toml: cannot be read \(ENOENT/);
    const applied = nextLine(proxy, RELOADED);
    file.write({ ...WATCHED, connect: { retries: 7 } });
    await applied;
  });

  it('can be switched on and off by a reload', async (t) => {
    const { proxy, file } = await start(t, BASE);
    file.write(WATCHED);
    await reload(proxy, RELOADED);
    const unchanged = nextLine(proxy, RELOADED);
    const kept = nextLine(proxy, /^config_watch.enabled is gone: the file is watched still/);
    file.write({ ...BASE, config_watch: { interval_secs: 0.1 } });
    await Promise.all([kept, unchanged]);
    const off = nextLine(proxy, RELOADED);
    file.write({ ...BASE, config_watch: { enabled: false, interval_secs: 0.1 } });
    assert.deepEqual((await off)['changes'], { 'config_watch.enabled': { from: true, to: false } });
    file.write({ ...BASE, connect: { retries: 7 } });
    const line = await reload(proxy, RELOADED);
    assert.ok('connect.retries' in (line['changes'] as object), 'the watcher was still there');
  });

  it('warns where there is no file to watch', async (t) => {
    const proxy = await startProxy(t, { env: { EDGEPROXY_CONFIG_WATCH_ENABLED: 'on' } });
    await proxy.waitForLog(({ msg }) => String(msg).includes('there is no file to watch'));
  });
});
