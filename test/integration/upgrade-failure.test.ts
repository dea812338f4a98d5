/** A new version that does not come up changes nothing, whatever stops it; and who dies in the middle takes nobody along. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { echo } from '../support/backend-behaviours.js';
import { ConfigFile, type Tables } from '../support/config-file.js';
import { ConnectionLoad } from '../support/connection-load.js';
import { eventually } from '../support/eventually.js';
import {
  beginUpgrade,
  failedUpgrade,
  latestPrimary,
  nextLine,
  settledWorkers,
  upgrade,
} from '../support/generations.js';
import { install, type Installation } from '../support/installation.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { childPids, isRunning, openDescriptors } from '../support/process-facts.js';
import {
  spawnProxy,
  startProxy,
  type ProxyExit,
  type ProxyOptions,
  type ProxyProcess,
} from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKER_FILE = 'dist/cluster/worker.js';
/** Waited for where a version never gets ready, and never where it does. */
const FAILING_SECS = 10;
const SUCCEEDING_SECS = 120;

function upgradeWithin(secs: number): Tables {
  return { upgrade: { timeout_secs: secs } };
}

interface Scene {
  readonly installation: Installation;
  readonly proxy: ProxyProcess;
  /** Established before anything happens. */
  readonly peer: Peer;
}

async function start(t: Owner, options: ProxyOptions = {}): Promise<Scene> {
  const backend = await startBackend(t, echo);
  const installation = await install(t);
  // The peer stays with the old version for as long as a busy machine takes for the rest of the test.
  const env = { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '600', ...options.env };
  const proxy = await startProxy(t, { backends: [{ port: backend.port }], main: installation.main, ...options, env });
  const peer = await connectPeer(t, proxy);
  await assertEchoes(peer, 'before');
  return { installation, proxy, peer };
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

/** That the process still serves, old clients and new ones. */
async function assertServes(t: Owner, { proxy, peer }: Scene, pid: number): Promise<void> {
  assert.ok(isRunning(pid));
  await assertEchoes(peer, 'still here');
  const another = await connectPeer(t, proxy);
  await assertEchoes(another, 'new');
  another.socket.destroy();
}

/** The routing database is locked: a version that starts now has its sockets and workers, and waits. */
function lockDatabase(t: Owner, { databasePath }: ProxyProcess): Database.Database {
  const lock = new Database(databasePath);
  t.after(() => void lock.close());
  lock.exec('BEGIN EXCLUSIVE');
  return lock;
}

async function upgradeThatWaits(proxy: ProxyProcess): Promise<number> {
  const newPid = await beginUpgrade(proxy);
  await proxy.waitForLog(({ pid, code }) => pid === newPid && code === 'EP_DB_LOCKED', 120_000);
  return newPid;
}

describe('a new version that fails', TIME_LIMIT, () => {
  it('leaves the old one serving, whatever is wrong with it, and the next try succeeds', async (t) => {
    const scene = await start(t);
    const { installation, proxy } = scene;
    const clash = await startBackend(t, echo);
    const failures: [breakIt: () => void, exit: ProxyExit][] = [
      [() => installation.become("throw new Error('broken')"), { code: 1, signal: null }],
      [() => installation.become('this is no program'), { code: 1, signal: null }],
      [() => installation.become('process.exitCode = 0'), { code: 0, signal: null }],
      [() => installation.beginWith("process.env.EDGEPROXY_WORKERS = 'many'"), { code: 2, signal: null }],
      [
        () => installation.beginWith(`process.env.EDGEPROXY_LISTEN_ADDR += ',127.0.0.1:${clash.port}'`),
        { code: 2, signal: null },
      ],
      [() => installation.beginWith("process.env.EDGEPROXY_DB_PATH = '/dev/null'"), { code: 2, signal: null }],
      [() => installation.beginWith("process.kill(process.pid, 'SIGKILL')"), { code: null, signal: 'SIGKILL' }],
    ];
    await assertServes(t, scene, proxy.pid);
    const descriptors = openDescriptors(proxy.pid);
    for (const [breakIt, { code, signal }] of failures) {
      breakIt();
      const line = await failedUpgrade(proxy);
      assert.deepEqual([line['code'], line['signal']], [code, signal]);
      assert.equal(isRunning(Number(line['newPid'])), false);
      await assertServes(t, scene, proxy.pid);
    }
    // Less than one for each failure: the database's reader, which starts by and by, has some of its own.
    const isFewer = (): boolean => openDescriptors(proxy.pid) < descriptors + failures.length;
    await eventually('no descriptor is left over', isFewer, {
      state: () => [descriptors, openDescriptors(proxy.pid)],
    });
    installation.beginWith('');
    const newPid = await upgrade(proxy);
    assert.notEqual(newPid, proxy.pid);
    await assertServes(t, scene, newPid);
  });

  it('by not being ready in time is killed', async (t) => {
    const scene = await start(t, { env: { EDGEPROXY_UPGRADE_TIMEOUT_SECS: '1' } });
    scene.installation.become('setInterval(() => undefined, 1000)');
    const { newPid, signal, msg } = await failedUpgrade(scene.proxy);
    assert.equal(signal, 'SIGKILL');
    assert.match(String(msg), /not ready after 1 seconds/);
    assert.equal(isRunning(Number(newPid)), false);
    await assertServes(t, scene, scene.proxy.pid);
  });

  it('by SIGKILL in the middle takes its workers along and nothing else', async (t) => {
    const scene = await start(t);
    const lock = lockDatabase(t, scene.proxy);
    const newPid = await upgradeThatWaits(scene.proxy);
    const newWorkers = childPids(newPid);
    assert.ok(newWorkers.length > 0);
    const failed = nextLine(scene.proxy, 'the new version failed');
    process.kill(newPid, 'SIGKILL');
    assert.equal((await failed)['signal'], 'SIGKILL');
    await eventually('its workers are gone', () => !newWorkers.some(isRunning));
    lock.exec('ROLLBACK');
    await assertServes(t, scene, scene.proxy.pid);
    await assertServes(t, scene, await upgrade(scene.proxy));
  });
});

describe('a new version with more listening sockets', TIME_LIMIT, () => {
  for (const [accept, workers] of [
    ['reuseport', 1],
    ['handoff', 2],
  ] as const) {
    it(`lets no client come to them before it can serve, from ${accept} with ${workers} to reuseport with 3`, async (t) => {
      const file = await ConfigFile.make(t, upgradeWithin(FAILING_SECS));
      const scene = await start(t, { accept, workers, args: ['--config', file.path] });
      const { installation, proxy } = scene;
      const load = new ConnectionLoad(t, proxy.port, { lanes: 16, pauseMs: 2 });
      const more = "process.env.EDGEPROXY_ACCEPT = 'reuseport'; process.env.EDGEPROXY_WORKERS = '3'";
      installation.beginWith(more);
      const worker = readFileSync(join(installation.root, WORKER_FILE), 'utf8');
      for (const failing of ['setInterval(() => undefined, 1000)', 'process.exit(3)']) {
        installation.put(WORKER_FILE, failing);
        const failed = failedUpgrade(proxy);
        // A busy machine may not get so far in time; then nothing was held back from clients either.
        await Promise.race([nextLine(proxy, 'starting with the listening sockets'), failed]);
        await load.answered(load.report.answered + 300);
        await failed;
      }
      installation.put(WORKER_FILE, worker);
      file.write(upgradeWithin(SUCCEEDING_SECS));
      await reload(proxy, /^configuration reloaded/);
      const newPid = await upgrade(proxy);
      await settledWorkers(newPid, 3);
      await load.answered(load.report.answered + 1000);
      assert.deepEqual((await load.stop()).failed, {});
      await assertServes(t, scene, newPid);
    });
  }
});

describe('an upgrade under way', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`goes on without the old version where that is killed, ${accept}`, async (t) => {
      const scene = await start(t, { accept });
      const { proxy, peer } = scene;
      const lock = lockDatabase(t, proxy);
      const newPid = await upgradeThatWaits(proxy);
      const noticed = nextLine(proxy, 'the old version has died', newPid);
      const ready = nextLine(proxy, 'edgeproxy is ready', newPid);
      process.kill(proxy.pid, 'SIGKILL');
      await noticed;
      // Its connections are gone with it, but not who comes now: the socket is the new one's.
      await peer.ending();
      const waiting = await connectPeer(t, proxy);
      lock.exec('ROLLBACK');
      await ready;
      await assertEchoes(waiting, 'served by the new one');
      process.kill(newPid, 'SIGTERM');
      waiting.socket.destroy();
      await eventually('it ends as any other', () => !isRunning(newPid));
    });
  }

  it('ends on SIGTERM to the old version, with both', async (t) => {
    const scene = await start(t);
    lockDatabase(t, scene.proxy);
    const newPid = await upgradeThatWaits(scene.proxy);
    scene.proxy.signal('SIGTERM');
    await eventually('the new version is gone', () => !isRunning(newPid));
    await assertEchoes(scene.peer, 'still here');
    scene.peer.end();
    assert.equal(await scene.peer.ending(), 'end');
    assert.deepEqual(await scene.proxy.exit, { code: 0, signal: null });
  });

  it('is the only one: a second SIGUSR2 is a warning, and so is one while draining or starting', async (t) => {
    const scene = await start(t);
    const { proxy, peer } = scene;
    const lock = lockDatabase(t, proxy);
    const newPid = await upgradeThatWaits(proxy);
    const second = nextLine(proxy, 'SIGUSR2: an upgrade is under way already', proxy.pid);
    proxy.signal('SIGUSR2');
    await second;
    const early = nextLine(proxy, 'SIGUSR2: no upgrade before this version is ready', newPid);
    process.kill(newPid, 'SIGUSR2');
    await early;
    const draining = nextLine(proxy, 'the new version takes clients', proxy.pid);
    lock.exec('ROLLBACK');
    await draining;
    const late = nextLine(proxy, 'SIGUSR2: no upgrade while this version is draining', proxy.pid);
    proxy.signal('SIGUSR2');
    await late;
    assert.equal(proxy.primaryPids.length, 2);
    assert.equal(latestPrimary(proxy), newPid);
    await assertEchoes(peer, 'still here');
  });
});

describe('the PID file', TIME_LIMIT, () => {
  it('names the version that takes clients, also after a failed upgrade, and goes with the last', async (t) => {
    const path = join(await scratchDirectory(t), 'edgeproxy.pid');
    const pidInFile = (): number => Number(readFileSync(path, 'utf8'));
    const scene = await start(t, { env: { EDGEPROXY_PID_FILE: path } });
    const { installation, proxy, peer } = scene;
    assert.equal(pidInFile(), proxy.pid);
    installation.become('process.exit(1)');
    await failedUpgrade(proxy);
    assert.equal(pidInFile(), proxy.pid);
    installation.beginWith('');
    const newPid = await upgrade(proxy);
    assert.equal(pidInFile(), newPid);
    peer.socket.destroy();
    await eventually('the old version ends', () => !isRunning(proxy.pid));
    assert.equal(pidInFile(), newPid);
    process.kill(newPid, 'SIGTERM');
    await eventually('the new version ends', () => !isRunning(newPid));
    assert.throws(() => readFileSync(path), { code: 'ENOENT' });
  });

  it('that cannot be written is a start that fails', async (t) => {
    const proxy = await spawnProxy(t, { env: { EDGEPROXY_PID_FILE: '/dev/null/edgeproxy.pid' } });
    assert.deepEqual(await proxy.exit, { code: 2, signal: null });
    await proxy.waitForLog(({ code }) => code === 'EP_PID_FILE');
  });
});
