/** deploy/*.service and *.socket, as systemd itself reads them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { program } from '../support/program.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const UNITS = ['edgeproxy.service', 'edgeproxy.socket'];
const TIME_LIMIT = { timeout: 300_000 };
/** Tenths of what systemd-analyze calls exposure. */
const MOST_EXPOSURE = 20;

function analyze(args: readonly string[]): { status: number | null; output: string } {
  const env = { PATH: process.env['PATH'], SYSTEMD_LOG_LEVEL: 'warning' };
  const { status, stdout, stderr } = spawnSync(program('systemd-analyze', 'systemd'), args, { encoding: 'utf8', env });
  return { status, output: stdout + stderr };
}

describe('the units for systemd', TIME_LIMIT, () => {
  it('are understood by it to the last word', async (t) => {
    const directory = await scratchDirectory(t);
    for (const unit of UNITS) copyFileSync(join(DEPLOY, unit), join(directory, unit));
    for (const unit of UNITS) {
      const { status, output } = analyze(['verify', '--man=no', join(directory, unit)]);
      const about = output.split('\n').filter((line) => line.includes('edgeproxy'));
      // Where Node.js lies elsewhere than on Debian.
      const faults = about.filter((line) => !line.includes('/usr/bin/node is not executable'));
      assert.deepEqual(faults, [], unit);
      if (about.length === 0) assert.equal(status, 0, output);
    }
  });

  it('allow little', () => {
    const path = join(DEPLOY, 'edgeproxy.service');
    const { status, output } = analyze([
      'security',
      '--no-pager',
      '--offline=true',
      `--threshold=${MOST_EXPOSURE}`,
      path,
    ]);
    assert.equal(status, 0, output);
  });

  it('fit the program: it notifies, with signs of life, and a wrong configuration is not tried again', () => {
    const text = readFileSync(join(DEPLOY, 'edgeproxy.service'), 'utf8');
    for (const line of ['Type=notify', 'NotifyAccess=all', 'RestartPreventExitStatus=2', 'KillMode=mixed']) {
      assert.ok(text.split('\n').includes(line), line);
    }
    assert.match(text, /^WatchdogSec=[1-9]/m);
    assert.match(text, /^ExecStart=\/usr\/bin\/node \S+dist\/cli\/main\.js start/m);
  });
});
