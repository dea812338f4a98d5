import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { describe, it } from 'node:test';
import { LAYOUT_HASH } from '../../src/domain/shared/layout.js';
import { edgeproxy, MAIN } from '../support/edgeproxy-command.js';

const PACKAGE = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
};

function refusal(args: readonly string[], variables: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = edgeproxy(args, variables);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: '' }, stderr);
  return stderr;
}

describe('edgeproxy', () => {
  it('prints its version', () => {
    assert.deepEqual(edgeproxy(['--version']), { status: 0, stdout: `${PACKAGE.version}\n`, stderr: '' });
  });

  it('prints every version that a report of a fault needs', () => {
    const { status, stdout } = edgeproxy(['--version-info']);
    assert.equal(status, 0);
    const versions = new Map(stdout.split('\n').map((line) => line.split(/ {2,}/) as [string, string]));
    assert.equal(versions.get('node'), process.versions.node);
    assert.ok(versions.get('kernel')?.includes(release()));
    assert.ok(versions.get('shared layout')?.includes((LAYOUT_HASH >>> 0).toString(16)));
    for (const name of Object.keys(PACKAGE.dependencies))
      assert.match(versions.get(name) ?? '', /^\d+\.\d+\.\d+/, name);
  });

  it('shows its commands', () => {
    const { status, stdout } = edgeproxy(['--help']);
    assert.equal(status, 0);
    for (const command of ['start', 'validate', 'backend', 'status', 'top', 'doctor'])
      assert.match(stdout, new RegExp(`^  ${command}\\b`, 'm'));
    assert.doesNotMatch(stdout, /--config/);
  });

  it('names the command or the flag that was probably meant', () => {
    assert.match(refusal(['strat']), /^error: "strat" is not a command; did you mean start\?/);
    assert.match(refusal(['frobnicate']), /^error: "frobnicate" is not a command; edgeproxy --help lists/);
    assert.match(refusal(['--worker', '2']), /unknown option '--worker'\s+\(Did you mean --workers\?\)/);
    assert.match(refusal(['start', '--lisen', 'x']), /Did you mean --listen\?/);
    assert.match(refusal(['backend', 'lst']), /Did you mean list\?/);
  });

  it('refuses what it would otherwise ignore', () => {
    assert.match(refusal(['start', 'now']), /too many arguments/);
    assert.match(refusal(['--workers']), /argument missing/);
    refusal(['--workers', '2', 'validate']);
    refusal(['backend']);
  });

  it('ends with 2 and every problem before anything is opened', () => {
    const stderr = refusal(['start', '--workers', '0'], {
      EDGEPROXY_ACCEPT: 'x',
      EDGEPROXY_TLS_ENABLED: 'true',
    });
    const lines = stderr.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[0] ?? '', /^error: --workers: "0" is not valid/);
    assert.match(lines[1] ?? '', /^error: EDGEPROXY_ACCEPT: "x" is not valid/);
    assert.match(lines[2] ?? '', /^error: EDGEPROXY_TLS_ENABLED: TLS is not available/);
  });
});

describe('edgeproxy validate', () => {
  it('says that a configuration is valid, as --validate does', () => {
    for (const args of [['validate'], ['--validate'], ['start', '--validate', '--workers', '2']]) {
      assert.deepEqual(edgeproxy(args), { status: 0, stdout: 'configuration is valid\n', stderr: '' });
    }
  });

  it('says what is wrong and ends with 2', () => {
    for (const args of [['validate'], ['--validate']]) {
      assert.match(
        refusal(args, { EDGEPROXY_SPLICE: 'maybe' }),
        /^error: EDGEPROXY_SPLICE: "maybe" is not valid; expected/,
      );
    }
    assert.match(refusal(['validate', '--listen', '1.2.3.4']), /^error: --listen: /);
  });

  it('warns of unknown variables without failing', () => {
    const { status, stderr } = edgeproxy(['validate'], { EDGEPROXY_WORKRES: '2' });
    assert.equal(status, 0);
    assert.match(stderr, /^warning: "EDGEPROXY_WORKRES" is not a known variable; did you mean EDGEPROXY_WORKERS\?\n$/);
  });
});

describe('a reader that closes the pipe', () => {
  it('ends the command without an error', async () => {
    const child = spawn(process.execPath, [MAIN, 'start', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number];
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  });
});
