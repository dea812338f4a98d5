/** deploy/edgeproxy.logrotate with the real logrotate: the proxy goes on in the new file, and no line is lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { program } from '../support/program.js';
import { spawnProxy } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const CONFIG = fileURLToPath(new URL('../../deploy/edgeproxy.logrotate', import.meta.url));
const TIME_LIMIT = { timeout: 90_000 };

function logrotate(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program('logrotate', 'logrotate'), args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout + stderr;
}

function contentOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** As it is, but for the places, the users, and whom the signal goes to. */
function localConfig(directory: string, pid: number): string {
  return readFileSync(CONFIG, 'utf8')
    .replaceAll('/var/log/edgeproxy', directory)
    .replace(/^ +su .*\n/m, '')
    .replace(/^( +)\/bin\/systemctl.*$/m, `$1kill -HUP ${pid}`);
}

describe('logrotate', TIME_LIMIT, () => {
  it('is given a file that it understands, and the proxy follows', async (t) => {
    const directory = await scratchDirectory(t);
    const log = join(directory, 'edgeproxy.log');
    const proxy = await spawnProxy(t, { workers: 1, env: { EDGEPROXY_LOG_FILE: log } });
    await eventually('the proxy is ready', () => contentOf(log).includes('edgeproxy is ready'));
    const config = join(directory, 'edgeproxy.logrotate');
    writeFileSync(config, localConfig(directory, proxy.pid), { mode: 0o644 });
    assert.doesNotMatch(logrotate(['--debug', config]), /error:/);
    logrotate(['--force', '--state', join(directory, 'state'), config]);
    await eventually('the proxy goes on in a new file', () => contentOf(log).includes('configuration reloaded'));
    const old = contentOf(`${log}.1`);
    assert.match(old, /edgeproxy is ready/);
    assert.doesNotMatch(old, /configuration reloaded/);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    assert.match(contentOf(log), /edgeproxy has ended/);
  });

  it('signals the main process of the unit', () => {
    assert.match(readFileSync(CONFIG, 'utf8'), /systemctl kill --signal=HUP --kill-who=main edgeproxy\.service/);
  });
});
