/** What `npm pack` takes: enough to compile and run where it is installed, and nothing that only a clone needs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOR_CLONES = ['src/', 'test/', 'native/test/', 'bench/', 'scripts/', 'build/', '.ci/'];

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);
}

function packedFiles(): ReadonlySet<string> {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--silent'];
  const output = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', timeout: 60_000 });
  const [packed] = JSON.parse(output) as [{ files: { path: string }[] }];
  return new Set(packed.files.map(({ path }) => path));
}

describe('the package', () => {
  const packed = packedFiles();

  it('has what its installation compiles', () => {
    for (const path of ['binding.gyp', 'package.json', ...filesIn('native/engine'), ...filesIn('native/bindings')]) {
      assert.ok(packed.has(path), path);
    }
  });

  it('has what the command runs, for every source file', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
    const scripts = sources.filter((name) => name.endsWith('.ts')).map((name) => `dist/${name.replace(/ts$/, 'js')}`);
    for (const path of [...scripts, 'dist/geo/embedded.geo']) assert.ok(packed.has(path), path);
  });

  it('has the documents', () => {
    for (const path of ['README.md', 'LICENSE', 'ARCHITECTURE.md', ...filesIn('docs')])
      assert.ok(packed.has(path), path);
  });

  it('has nothing that only a clone needs', () => {
    for (const folder of FOR_CLONES) {
      assert.ok(existsSync(join(ROOT, folder)), folder);
      assert.deepEqual(
        [...packed].filter((path) => path.startsWith(folder)),
        [],
      );
    }
    assert.ok(![...packed].some((path) => path.endsWith('.map')));
  });
});
