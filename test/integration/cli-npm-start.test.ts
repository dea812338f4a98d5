/** npm puts a shell before what it runs, which keeps signals for itself: the script must take its place. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from '../support/eventually.js';
import { forget, killAtExit } from '../support/live-processes.js';
import { LogLines } from '../support/log-lines.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('npm start hands SIGTERM to the proxy, which drains', async (test) => {
  const directory = await scratchDirectory(test);
  const settings = {
    EDGEPROXY_LISTEN_ADDR: '127.0.0.1:0',
    EDGEPROXY_DB_PATH: join(directory, 'routing.db'),
    EDGEPROXY_WORKERS: '1',
    EDGEPROXY_LOG_FORMAT: 'json',
  };
  const npm = spawn('npm', ['start', '--silent'], {
    cwd: ROOT,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const log = new LogLines(npm.stdout);
  const ended = once(npm, 'exit');
  const { pid, version } = await log.waitFor(({ msg }) => msg === 'edgeproxy is ready');
  killAtExit(Number(pid));
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  assert.equal(version, manifest.version);
  npm.kill('SIGTERM');
  const last = await log.waitFor(({ msg }) => msg === 'edgeproxy has ended');
  assert.equal(last['pid'], pid);
  assert.deepEqual(await within('npm ends', ended), [0, null]);
  forget(Number(pid));
});
