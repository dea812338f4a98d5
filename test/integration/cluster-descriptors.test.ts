/** A primary or a worker that can open nothing more for a while: nobody ends for it but who cannot do its work any more. */
import assert from 'node:assert/strict';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { banner } from '../support/backend-behaviours.js';
import { treeOf, writeMmdb } from '../support/geo-mmdb-writer.js';
import { connectPeer } from '../support/peer.js';
import { isRunning } from '../support/process-facts.js';
import { setFileLimit } from '../support/process-limits.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import { changeBackends } from '../support/routing-edits.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const NEVER_SECS = '600';
const PLENTY = 1000;
const ROUTES = 'routing table in force';
const GEO = 'geo database in force';
/** Below what is open for as long as a process lives: nothing more can be opened. */
const EXHAUSTED = 8;
/** Descriptors that are left: every step of a thread's start is where the last one may be missing. */
const DESCRIPTORS_LEFT = [0, 1, 2, 3, 4, 5, 6, 8];

interface World {
  readonly proxy: ProxyProcess;
  /** Replaces the geo database by one that knows so many networks, which is what the log tells them apart by. */
  readonly replaceGeo: (networks: number) => void;
}

async function startWorld(owner: Owner, options: ProxyOptions = {}): Promise<World> {
  const directory = await scratchDirectory(owner);
  const path = join(directory, 'geo.mmdb');
  const replaceGeo = (networks: number): void => {
    const known = Array.from({ length: networks }, (_, index) => ({ network: `${index + 1}.0.0.0/8`, data: 0 }));
    writeFileSync(`${path}.new`, writeMmdb({ nodes: treeOf(known, 6), data: [{ country: { iso_code: 'BR' } }] }));
    renameSync(`${path}.new`, path);
  };
  replaceGeo(1);
  const ids = ['one-', 'two-'];
  const backends = await Promise.all(
    ids.map(async (id) => ({ id, port: (await startBackend(owner, banner(id))).port })),
  );
  const env = {
    EDGEPROXY_GEOIP_PATH: path,
    EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS,
    EDGEPROXY_BINDING_TTL_SECS: '0',
    ...options.env,
  };
  return { proxy: await startProxy(owner, { backends, ...options, env }), replaceGeo };
}

function choose(proxy: ProxyProcess, chosen: string): void {
  const other = chosen === 'one-' ? 'two-' : 'one-';
  changeBackends(proxy.databasePath, { [chosen]: { healthy: 1 }, [other]: { healthy: 0 } });
}

async function nameFor(owner: Owner, proxy: ProxyProcess): Promise<string> {
  const peer = await connectPeer(owner, proxy);
  const name = String(await peer.read('one-'.length));
  peer.close();
  return name;
}

/**
 * So that so many more can be opened: the limit is one on their numbers. It may be a few more, where a thread that has done
 * its work is just about to let go of its own.
 */
function leaveDescriptors(pid: number, count: number): void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let limit = 0;
  for (let gaps = 0; open.has(limit) || gaps++ < count; limit++);
  setFileLimit(pid, limit);
}

/** SIGHUP; resolves with what has become of the named source: in force, or the code of the failure. */
async function reload(proxy: ProxyProcess): Promise<{ routes: unknown; geo: unknown }> {
  const outcome = (name: string, success: string) =>
    proxy.log.next(({ msg }) => msg === success || String(msg).startsWith(`the ${name} cannot be read`));
  const outcomes = Promise.all([outcome('routing database', ROUTES), outcome('geo database', GEO)]);
  proxy.signal('SIGHUP');
  const [routes, geo] = await outcomes;
  return { routes: routes['code'] ?? routes['msg'], geo: geo['code'] ?? geo['geo'] };
}

describe('a primary without descriptors', TIME_LIMIT, () => {
  for (const left of DESCRIPTORS_LEFT) {
    it(`that is asked to reload with ${left} left keeps what is in force, and reloads when it has more`, async (t) => {
      const { proxy, replaceGeo } = await startWorld(t);
      choose(proxy, 'one-');
      replaceGeo(2);
      leaveDescriptors(proxy.pid, left);
      const { routes, geo } = await reload(proxy);
      t.diagnostic(`routes: ${String(routes)}, geo: ${String(geo)}`);
      assert.ok(isRunning(proxy.pid));

      setFileLimit(proxy.pid, PLENTY);
      choose(proxy, 'two-');
      replaceGeo(3);
      const after = await reload(proxy);
      assert.equal(after.routes, ROUTES);
      assert.match(String(after.geo), /, 3 networks$/);
      assert.equal(await nameFor(t, proxy), 'two-');
      assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    });
  }

  for (const isFirst of [true, false]) {
    const whose = isFirst ? 'that has not had threads before' : 'whose threads have been at work before';
    it(`${whose} says what it cannot read, and reloads when it has more`, async (t) => {
      const { proxy, replaceGeo } = await startWorld(t);
      choose(proxy, 'one-');
      replaceGeo(2);
      if (!isFirst) await reload(proxy);
      choose(proxy, 'two-');
      replaceGeo(3);
      setFileLimit(proxy.pid, EXHAUSTED);
      assert.match(Object.values(await reload(proxy)).join(' '), /^EP_DB_\w+ EP_GEO_LOAD$/);
      setFileLimit(proxy.pid, PLENTY);
      assert.match(Object.values(await reload(proxy)).join(' '), new RegExp(`^${ROUTES} .*, 3 networks$`));
      assert.equal(await nameFor(t, proxy), 'two-');
    });
  }
});

describe('a worker without descriptors', TIME_LIMIT, () => {
  it('that cannot take a new geo database ends, says why, and has a successor that takes it', async (t) => {
    const { proxy, replaceGeo } = await startWorld(t, { workers: 1 });
    const [victim = 0] = proxy.workerPids;
    // Whoever has served a client has taken the first geo database, which came before it.
    await nameFor(t, proxy);
    setFileLimit(victim, EXHAUSTED);
    replaceGeo(2);
    const failed = proxy.log.next(({ msg }) => String(msg).startsWith('worker failed'));
    const succeeded = proxy.log.next(({ msg }) => msg === 'worker takes clients');
    proxy.signal('SIGHUP');
    assert.match(String((await failed)['msg']), /what the primary has sent cannot be taken: .* \(EMFILE\)$/);
    assert.notEqual((await succeeded)['workerPid'], victim);
    assert.equal(isRunning(victim), false);
    assert.match(await nameFor(t, proxy), /^(one|two)-$/);
  });
});
