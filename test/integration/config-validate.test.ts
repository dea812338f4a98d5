/** `edgeproxy validate` and `start` with a configuration file. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { edgeproxy } from '../support/edgeproxy-command.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const VALID = { status: 0, stdout: 'configuration is valid\n', stderr: '' };

function errors(args: string[]): string[] {
  const { status, stdout, stderr } = edgeproxy(args);
  assert.equal(status, 2, stderr);
  assert.equal(stdout, '');
  return stderr.trimEnd().split('\n');
}

describe('a configuration file on the command line', () => {
  it('is checked by validate, as a flag or as an argument, and by start --validate', async (t) => {
    const file = join(await scratchDirectory(t), 'a.toml');
    writeFileSync(file, '[server]\nworker_threads = 2\n');
    for (const args of [
      ['validate', file],
      ['validate', '-c', file],
      ['validate', '--config', file],
      ['validate', '-c', file, file],
      ['start', '-c', file, '--validate'],
    ]) {
      assert.deepEqual(edgeproxy(args), VALID, args.join(' '));
    }
    assert.match(
      errors(['validate', '-c', file, 'other.toml'])[0] ?? '',
      /^error: two configuration files; expected one/,
    );
  });

  it('is refused with every error and exit code 2, by start too', async (t) => {
    const file = join(await scratchDirectory(t), 'a.toml');
    writeFileSync(file, '[server]\nworker_threads = 0\nworker_thread = 2\n\n[logging]\nlevel = "loud"\n');
    for (const args of [
      ['validate', file, '--accept', 'both'],
      ['-c', file, '--accept', 'both'],
    ]) {
      assert.deepEqual(errors(args), [
        `error: ${file}:2: server.worker_threads: "0" is not valid; expected a whole number from 1 to 128`,
        'error: --accept: "both" is not valid; expected one of handoff, reuseport',
        `error: ${file}:6: logging.level: "loud" is not valid; expected one of trace, debug, info, warn, error, fatal, silent`,
        `error: ${file}:3: server.worker_thread is not a known key; did you mean server.worker_threads?`,
      ]);
    }
  });

  it('is refused clearly where it cannot be read', async (t) => {
    const directory = await scratchDirectory(t);
    const large = join(directory, 'large.toml');
    writeFileSync(large, '#'.repeat((16 << 20) + 1));
    const binary = join(directory, 'binary.toml');
    writeFileSync(binary, Buffer.from([0x61, 0xff, 0xfe]));
    mkdirSync(join(directory, 'folder'));
    const reasons = {
      [join(directory, 'missing.toml')]: /: cannot be read \(ENOENT/,
      [large]: /: is larger than 16777216 bytes$/,
      [binary]: /: is not UTF-8$/,
      [join(directory, 'folder')]: /: is a directory, not a configuration file$/,
      '/dev/null': /: is not a regular file$/,
    };
    for (const [path, reason] of Object.entries(reasons)) {
      const [error = '', ...others] = errors(['validate', path]);
      assert.ok(error.startsWith(`error: ${path}: `), error);
      assert.match(error, reason);
      assert.deepEqual(others, []);
    }
  });
});
