/** SIGHUP and SIGUSR2 that come while the proxy starts: their default is to end the process. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { spawnProxy, startProxy, type ProxyProcess } from '../support/proxy-process.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded/;
const TOO_EARLY = 'SIGUSR2: no upgrade before this version is ready';
/** SIGHUP is signal 1 and SIGUSR2 is 12. */
const BOTH = (1n << 0n) | (1n << 11n);

/** Preloaded: sends signals to the process when it begins to load the first module of ours that main.ts imports later. */
function signalsAt(module: string): string {
  const hooks = `export async function load(url, context, next) {
    if (url.includes('${module}')) for (const signal of ['SIGHUP', 'SIGUSR2']) process.kill(process.pid, signal);
    return next(url, context);
  }`;
  const preload = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`;
  return `--import=${dataUrl(preload)}`;
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source).replaceAll("'", '%27')}`;
}

function catchesBoth(pid: number): boolean {
  const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & BOTH) === BOTH;
}

async function assertHeld(proxy: ProxyProcess): Promise<void> {
  await proxy.ready();
  await proxy.waitForLog(({ msg }) => RELOADED.test(String(msg)));
  await proxy.waitForLog(({ msg }) => msg === TOO_EARLY);
  assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
}

describe('signals during a start', TIME_LIMIT, () => {
  it('are held from the first lines of the program: a reload follows, an upgrade is refused', async (t) => {
    await assertHeld(await spawnProxy(t, { env: { NODE_OPTIONS: signalsAt('/chunks/run-cli-') } }));
  });

  it('end nothing at any moment from there on', async (t) => {
    for (let times = 0; times < 4; times++) {
      const proxy = await spawnProxy(t, { workers: 1 });
      await eventually('the signals are caught', () => catchesBoth(proxy.pid));
      await delay(Math.random() * 200);
      proxy.signal('SIGHUP');
      await proxy.ready();
      await proxy.waitForLog(({ msg }) => RELOADED.test(String(msg)));
      assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    }
  });
});

describe('SIGUSR1', TIME_LIMIT, () => {
  it('opens no debugger, in the primary or in a worker', async (t) => {
    const proxy = await startProxy(t, { workers: 1 });
    const pids = [proxy.pid, ...proxy.workerPids];
    const before = pids.map(listeningSockets);
    for (const pid of pids) process.kill(pid, 'SIGUSR1');
    // Answered after it, by the same process.
    const reloaded = proxy.log.next(({ msg }) => RELOADED.test(String(msg)));
    proxy.signal('SIGHUP');
    await reloaded;
    assert.deepEqual(pids.map(listeningSockets), before);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });
});

function listeningSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const inodes = readdirSync(folder).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${folder}/${fd}`))?.[1];
    } catch {
      return undefined; // closed meanwhile
    }
  });
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const listening = lines.map((line) => line.trim().split(/\s+/)).filter((words) => words[3] === '0A');
  return listening.filter((words) => inodes.includes(words[9])).length;
}
