/** The proxy's log in a file, over its life: start, rotation by others, upgrade. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { killTree } from '../support/live-processes.js';
import type { LogLine } from '../support/log-lines.js';
import { spawnProxy } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { isRunning } from '../support/process-facts.js';

const TIME_LIMIT = { timeout: 300_000 };

function linesOf(path: string): LogLine[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LogLine);
}

function lineIn(path: string, message: string): Promise<LogLine> {
  return eventually(`${message} in ${path}`, () => linesOf(path).find(({ msg }) => msg === message), {
    state: () => linesOf(path).map(({ msg }) => msg),
  });
}

describe('a log file', TIME_LIMIT, () => {
  it('has what standard output would have, and a new one is begun on SIGHUP after the old was moved away', async (t) => {
    const path = join(await scratchDirectory(t), 'a.log');
    const proxy = await spawnProxy(t, { env: { EDGEPROXY_LOG_FILE: path } });
    await lineIn(path, 'edgeproxy is ready');
    renameSync(path, `${path}-today`);
    proxy.signal('SIGHUP');
    await lineIn(path, 'configuration reloaded: nothing has changed that applies at a reload');
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    assert.equal(linesOf(path).at(-1)?.['msg'], 'edgeproxy has ended');
    assert.ok(linesOf(`${path}-today`).length > 0);
    assert.deepEqual([proxy.log.lines, proxy.stderr], [[], '']);
  });

  it('belongs to both versions during an upgrade', async (t) => {
    const path = join(await scratchDirectory(t), 'a.log');
    const proxy = await spawnProxy(t, { env: { EDGEPROXY_LOG_FILE: path } });
    await lineIn(path, 'edgeproxy is ready');
    proxy.signal('SIGUSR2');
    const { newPid } = await lineIn(path, 'SIGUSR2: starting the new version');
    t.after(() => killTree(Number(newPid)));
    await lineIn(path, 'the new version takes clients; draining');
    await lineIn(path, 'edgeproxy has ended');
    await eventually('the old version is gone', () => !isRunning(proxy.pid));
    const pids = new Set(linesOf(path).map(({ pid }) => pid));
    assert.deepEqual(pids, new Set([proxy.pid, newPid]));
    process.kill(Number(newPid));
    await eventually('the new version is gone', () => !isRunning(Number(newPid)));
  });

  it('that cannot be opened ends the start, and one that can tells why the start has failed', async (t) => {
    const folder = await scratchDirectory(t);
    const wrong = await spawnProxy(t, { env: { EDGEPROXY_LOG_FILE: join(folder, 'none', 'a.log') } });
    assert.deepEqual(await wrong.exit, { code: 2, signal: null });
    assert.match(wrong.stderr, /^error: The log file cannot be opened: ENOENT.*\(EP_LOG_FILE\)\n$/);
    const path = join(folder, 'a.log');
    const env = { EDGEPROXY_LOG_FILE: path, EDGEPROXY_GEOIP_PATH: join(folder, 'none.mmdb') };
    const failed = await spawnProxy(t, { env });
    assert.notEqual((await failed.exit).code, 0);
    assert.match(failed.stderr, new RegExp(`error: edgeproxy failed; ${path} says why\n$`));
    assert.ok(linesOf(path).some(({ level }) => level === 'error'));
  });
});
