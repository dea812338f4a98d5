/** The routing database changes, is locked, replaced, damaged and deleted while clients come and go. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { banner } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import { changeBackends, edit, reload } from '../support/routing-edits.js';
import { writeRoutingFile } from '../support/routing-file.js';
import type { Owner } from '../support/scratch-directory.js';
import { ShortClients } from '../support/short-clients.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const IDS = ['one-', 'two-', 'tri-', 'four', 'five'] as const;
/** All ids have as many: what a client reads to learn where it is. */
const ID_CHARS = 4;
const EDITS = 1000;
/** Enough to know that edits and clients met. */
const TABLES = 20;
const SHORT = 100;
const LONG = 20;
const NEVER_SECS = '600';
const CANNOT_BE_READ = /^the routing database cannot be read; the last one stays in force: /;
const CAN_BE_READ_AGAIN = /^the routing database can be read again$/;

type Id = (typeof IDS)[number];
type NamedProxy = { readonly proxy: ProxyProcess; readonly ports: Readonly<Record<string, number>> };

/** Without affinity: every client chooses anew. */
async function startNamed(owner: Owner, options: ProxyOptions): Promise<NamedProxy> {
  const backends = await Promise.all(
    IDS.map(async (id) => ({ id, port: (await startBackend(owner, banner(id))).port })),
  );
  const env = { EDGEPROXY_BINDING_TTL_SECS: '0', ...options.env };
  const proxy = await startProxy(owner, { ...options, backends, env });
  return { proxy, ports: Object.fromEntries(backends.map(({ id, port }) => [id, port])) };
}

async function visit(owner: Owner, proxy: ProxyProcess): Promise<{ name: string; peer: Peer }> {
  const peer = await connectPeer(owner, proxy);
  return { name: String(await peer.read(ID_CHARS)), peer };
}

async function nameFor(owner: Owner, proxy: ProxyProcess): Promise<string> {
  const { name, peer } = await visit(owner, proxy);
  peer.close();
  return name;
}

/** The backends of ten clients, each once: one name where that is the only choice. */
async function namesFor(owner: Owner, proxy: ProxyProcess): Promise<string> {
  const names = await Promise.all(Array.from({ length: 10 }, () => nameFor(owner, proxy)));
  return [...new Set(names)].sort().join(' ');
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

/** The changes that make `id` the only choice; it comes first, so that there is a choice at every moment. */
function onlyHealthy(id: Id): Record<string, { healthy: number }> {
  const others = IDS.filter((other) => other !== id).map((other) => [other, { healthy: 0 }] as const);
  return Object.fromEntries([[id, { healthy: 1 }], ...others]);
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`${EDITS} edits of the routing database, ${accept}`, TIME_LIMIT, () => {
    it('break no connection, and new clients follow them', async (t) => {
      const { proxy } = await startNamed(t, { accept, env: { EDGEPROXY_DB_RELOAD_SECS: '0.01' } });
      const long = await Promise.all(Array.from({ length: LONG }, async () => (await visit(t, proxy)).peer));
      const short = new ShortClients(t, proxy);
      const database = new Database(proxy.databasePath);
      t.after(() => database.close());
      database.pragma('synchronous = OFF');
      const change = database.prepare('UPDATE backends SET weight = ?, soft_limit = ?, healthy = ? WHERE id = ?');
      for (let turn = 1; turn <= EDITS; turn++) {
        // At every moment somebody is healthy.
        change.run(turn % 9, turn % 50, turn % 3 === 0 ? 0 : 1, IDS[1 + (turn % 4)]);
        if (turn % 50 !== 0) await new Promise((resolve) => setImmediate(resolve));
        if (turn % 50 === 0) await Promise.all(long.map((peer) => assertEchoes(peer, `edit ${turn}`)));
        if (turn % 250 === 0) {
          const chosen = IDS[(turn / 250) % IDS.length] ?? 'one-';
          changeBackends(proxy.databasePath, { [chosen]: { healthy: 1, weight: 1 } });
          changeBackends(proxy.databasePath, onlyHealthy(chosen));
          await eventually(`all new clients go to ${chosen}`, async () => (await namesFor(t, proxy)) === chosen);
          assert.equal(await namesFor(t, proxy), chosen);
          changeBackends(proxy.databasePath, { 'one-': { healthy: 1 } });
        }
      }
      const tables = (): number => proxy.log.lines.filter(({ msg }) => msg === 'routing table in force').length;
      // A fast machine makes its edits between two looks of the proxy.
      await eventually('tables were put in force, and clients were served', () => {
        change.run(1 + (tables() % 9), 100, 1, 'one-');
        return tables() > TABLES && short.served > SHORT;
      });
      await short.stop();
      assert.deepEqual([short.refusals, short.brokenPorts], [[], []]);
      assert.equal(proxy.counters.rejected('no_backend'), 0);
      await Promise.all(long.map((peer) => assertEchoes(peer, 'in the end')));
      assert.deepEqual(
        proxy.log.lines.filter(({ level }) => level === 'error'),
        [],
      );
    });
  });
}

describe('SIGHUP', TIME_LIMIT, () => {
  it('reloads at once', async (t) => {
    const { proxy } = await startNamed(t, { env: { EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS } });
    for (const id of ['five', 'tri-'] as const) {
      await edit(proxy, onlyHealthy(id));
      assert.equal(await nameFor(t, proxy), id);
    }
  });

  it('that changes nothing puts nothing in force', async (t) => {
    const { proxy } = await startNamed(t, { env: { EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS } });
    for (let times = 0; times < 20; times++) proxy.signal('SIGHUP');
    await edit(proxy, onlyHealthy('four'));
    assert.equal(proxy.log.lines.filter(({ msg }) => msg === 'routing table in force').length, 2);
  });

  it('forgets a backend whose row is gone, but not its connections', async (t) => {
    const { proxy } = await startNamed(t, { env: { EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS } });
    await edit(proxy, onlyHealthy('two-'));
    const { name, peer } = await visit(t, proxy);
    assert.equal(name, 'two-');
    const database = new Database(proxy.databasePath);
    database.exec("DELETE FROM backends WHERE id = 'two-'; UPDATE backends SET healthy = 1 WHERE id = 'one-'");
    database.close();
    await reload(proxy);
    assert.equal(await nameFor(t, proxy), 'one-');
    await assertEchoes(peer, 'still here');
    await eventually('its place alone is held', () => proxy.counters.held(IDS.length).active === 1);
    peer.close();
    await eventually('its place is given back', () => proxy.counters.held(IDS.length).active === 0);
  });
});

describe('a routing database in trouble', TIME_LIMIT, () => {
  /** What happens to the file, and what makes it good again with `five` as the only choice. */
  interface Trouble {
    readonly begin: (path: string) => (() => void) | undefined;
    readonly mend: (path: string, ports: Readonly<Record<string, number>>) => void;
  }

  const rewrite: Trouble['mend'] = (path, ports) => {
    const draft = `${path}.draft`;
    writeRoutingFile(
      draft,
      IDS.map((id) => ({ id, port: ports[id] ?? 0, isHealthy: id === 'five' })),
    );
    renameSync(draft, path);
  };
  const change: Trouble['mend'] = (path) => changeBackends(path, onlyHealthy('five'));

  const troubles: Readonly<Record<string, Trouble>> = {
    'is locked': {
      begin: (path) => {
        const writer = new Database(path);
        writer.exec('BEGIN EXCLUSIVE; UPDATE backends SET healthy = 0');
        return () => {
          writer.exec('ROLLBACK');
          writer.close();
        };
      },
      mend: change,
    },
    'is deleted': {
      begin: (path) => {
        rmSync(path);
        return undefined;
      },
      mend: rewrite,
    },
    'is overwritten with something else': {
      begin: (path) => {
        writeFileSync(path, 'this is no database, but it is longer than the header of one. '.repeat(200));
        return undefined;
      },
      mend: rewrite,
    },
    'is cut off': {
      begin: (path) => {
        truncateSync(path, 3000);
        return undefined;
      },
      mend: rewrite,
    },
    'is replaced by one without the table': {
      begin: (path) => {
        const other = new Database(`${path}.other`);
        other.exec('CREATE TABLE something_else (id TEXT)');
        other.close();
        renameSync(`${path}.other`, path);
        return undefined;
      },
      mend: rewrite,
    },
    'is replaced by a folder': {
      begin: (path) => {
        rmSync(path);
        mkdirSync(path);
        return undefined;
      },
      mend: (path, ports) => {
        rmSync(path, { recursive: true });
        rewrite(path, ports);
      },
    },
  };

  for (const [what, { begin, mend }] of Object.entries(troubles)) {
    it(`that ${what} leaves the last good table in force, and comes back`, async (t) => {
      const { proxy, ports } = await startNamed(t, { env: { EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS } });
      await edit(proxy, onlyHealthy('tri-'));
      const { peer } = await visit(t, proxy);
      const end = begin(proxy.databasePath);
      const failure = await reload(proxy, CANNOT_BE_READ);
      assert.match(String(failure['code']), /^EP_DB_/);
      for (let times = 0; times < 4; times++) assert.equal(await nameFor(t, proxy), 'tri-');
      await assertEchoes(peer, 'still here');
      end?.();
      mend(proxy.databasePath, ports);
      await reload(proxy, CAN_BE_READ_AGAIN);
      assert.equal(await nameFor(t, proxy), 'five');
      await assertEchoes(peer, 'still here');
    });
  }

  it('that is replaced by a good one is taken over without a word of trouble', async (t) => {
    const { proxy, ports } = await startNamed(t, { env: { EDGEPROXY_DB_RELOAD_SECS: NEVER_SECS } });
    rewrite(proxy.databasePath, ports);
    await reload(proxy);
    assert.equal(await nameFor(t, proxy), 'five');
    assert.deepEqual(
      proxy.log.lines.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
