/** The engine's own tests, which know no JavaScript: built with sanitizers and run by native/test/run.sh. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchDirectory } from '../support/scratch-directory.js';

const SUITE = fileURLToPath(new URL('../../native/test', import.meta.url));
const BUILD_AND_RUN_MS = 1_500_000;

/** Some systems package the compiler without the sanitizers' runtime. */
function canSanitize(directory: string): boolean {
  return ['address,undefined', 'thread'].every((sanitizers) => {
    const args = [`-fsanitize=${sanitizers}`, '-x', 'c++', '-', '-o', join(directory, 'probe')];
    return spawnSync(process.env['CXX'] ?? 'g++', args, { input: 'int main() {}' }).status === 0;
  });
}

test('the native suite passes under the sanitizers', { timeout: BUILD_AND_RUN_MS }, async (t) => {
  if (!canSanitize(await scratchDirectory(t))) {
    t.skip('the compiler has no sanitizers here');
    return;
  }
  const suites = readdirSync(SUITE).filter((name) => name.endsWith('_test.cc')).length;
  const { status, stdout, stderr } = spawnSync(join(SUITE, 'run.sh'), { encoding: 'utf8', timeout: BUILD_AND_RUN_MS });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const passed = stdout.match(/^passed [1-9]\d*$/gm) ?? [];
  assert.ok(suites > 0 && passed.length >= suites, stdout);
});
