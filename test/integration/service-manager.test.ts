/** What a service manager (systemd, Type=notify) is told, by whom, and when. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { upgrade } from '../support/generations.js';
import { NotifyReceiver, type Notification } from '../support/notify-receiver.js';
import { pause, resume } from '../support/paused-process.js';
import { isRunning } from '../support/process-facts.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';

const TIME_LIMIT = { timeout: 180_000 };
const WATCHDOG_USEC = 200_000;
/** Several beats long. */
const SILENCE_MS = 500;

function started(owner: Owner, manager: NotifyReceiver, { env, ...rest }: ProxyOptions = {}): Promise<ProxyProcess> {
  return startProxy(owner, { ...rest, env: { NOTIFY_SOCKET: manager.name, ...env } });
}

function has(name: string, value?: string): (notification: Notification) => boolean {
  return ({ words }) => (value === undefined ? name in words : words[name] === value);
}

function beats(manager: NotifyReceiver): number {
  return manager.all.filter(has('WATCHDOG')).length;
}

describe('the service manager', TIME_LIMIT, () => {
  for (const kind of ['path', 'abstract'] as const) {
    it(`is told of start, reload and end, at a socket with ${kind === 'path' ? 'a path' : 'an abstract name'}`, async (t) => {
      const manager = await NotifyReceiver.start(t, kind);
      const proxy = await started(t, manager, { workers: 1 });
      const pid = String(proxy.pid);
      const ready = await manager.first('READY');
      assert.deepEqual(ready, {
        pid: proxy.pid,
        words: { READY: '1', MAINPID: pid, STATUS: '1 workers, 1 listeners' },
      });
      const reloaded = manager.next(has('READY'));
      const reloading = manager.next(has('RELOADING'));
      proxy.signal('SIGHUP');
      assert.match((await reloading).words['MONOTONIC_USEC'] ?? '', /^[1-9]\d+$/);
      assert.equal((await reloaded).words['STATUS'], ready.words['STATUS']);
      await proxy.stop();
      const { words } = await manager.first('STOPPING');
      assert.equal(words['STOPPING'], '1');
      assert.equal(words['EXTEND_TIMEOUT_USEC'], '15000000', 'the drain takes up to 5 s, its end up to 10');
      assert.equal(beats(manager), 0, 'nobody has asked for signs of life');
    });
  }

  it('is shown signs of life as long as a worker takes clients', async (t) => {
    const manager = await NotifyReceiver.start(t);
    const env = { WATCHDOG_USEC: String(WATCHDOG_USEC), EDGEPROXY_WATCHDOG_SECS: '0' };
    const proxy = await started(t, manager, { env });
    await manager.first('WATCHDOG');
    for (const pid of proxy.workerPids) await pause(t, pid);
    await eventually('no sign of life while all workers stand still', async () => {
      const before = beats(manager);
      await delay(SILENCE_MS);
      return beats(manager) === before;
    });
    const alive = manager.next(has('WATCHDOG'));
    resume(proxy.workerPids[1] ?? 0);
    await alive;
  });

  it('hears from a new version that it is the main process, and from the old one nothing any more', async (t) => {
    const manager = await NotifyReceiver.start(t);
    const proxy = await started(t, manager, { env: { WATCHDOG_USEC: String(WATCHDOG_USEC) } });
    const beaten = manager.next(({ pid, words }) => pid !== proxy.pid && 'WATCHDOG' in words);
    const newPid = await upgrade(proxy);
    assert.equal((await beaten).pid, newPid);
    const taken = manager.all.findLastIndex(({ words }) => words['MAINPID'] === String(newPid));
    assert.equal(manager.all[taken]?.pid, newPid);
    await eventually('the old version ends', () => !isRunning(proxy.pid));
    // Beats of the old one may still come in the moment before it hears that it is replaced.
    const later = manager.all.slice(taken + 1).filter(({ pid, words }) => pid === proxy.pid && !('WATCHDOG' in words));
    assert.deepEqual(later, []);
    const stopping = manager.next(has('STOPPING'));
    process.kill(newPid, 'SIGTERM');
    assert.equal((await stopping).pid, newPid);
  });

  it('is none of the workers’ business', async (t) => {
    const manager = await NotifyReceiver.start(t);
    const proxy = await started(t, manager, { env: { WATCHDOG_USEC: '1000000' }, workers: 1 });
    const environment = readFileSync(`/proc/${proxy.workerPids[0]}/environ`, 'utf8');
    assert.doesNotMatch(environment, /NOTIFY_SOCKET|WATCHDOG_USEC/);
  });

  it('that is gone is a warning, once, and the proxy serves', async (t) => {
    const proxy = await startProxy(t, {
      workers: 1,
      env: { NOTIFY_SOCKET: '/nowhere/notify', WATCHDOG_USEC: '20000' },
    });
    const line = await proxy.waitForLog(({ msg }) => msg === 'the service manager cannot be told anything');
    assert.equal(line['errnoCode'], 'ENOENT');
    await proxy.stop();
    assert.equal(proxy.log.lines.filter(({ msg }) => msg === line['msg']).length, 1);
  });
});
