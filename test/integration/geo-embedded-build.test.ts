/** The build compiles the embedded geo database anew when something that goes into it has changed, and only then. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchDirectory } from '../support/scratch-directory.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCRIPT = 'scripts/build-embedded-geo.mjs';
const SOURCES = ['src/domain', 'src/adapters'];
/** The script takes them whole: one file of them is enough to try. */
const OWN_FOLDERS = ['src/domain/geo/', 'src/adapters/outbound/geo/'];
const IMPORT = /from '(\.[^']+)\.js'/g;

/** The modules that compile-mmdb is made of, as paths from the root. */
function sourcesOfCompiler(): string[] {
  const found = new Set(['src/adapters/outbound/geo/compile-mmdb.ts']);
  for (const path of found) {
    for (const [, name = ''] of readFileSync(join(ROOT, path), 'utf8').matchAll(IMPORT)) {
      found.add(join(path, '..', `${name}.ts`));
    }
  }
  return [...found];
}

describe('the embedded geo database', { timeout: 300_000 }, () => {
  it('is compiled anew when a module that makes it has changed, and only then', async (t) => {
    const root = await scratchDirectory(t);
    for (const folder of ['scripts', ...SOURCES]) cpSync(join(ROOT, folder), join(root, folder), { recursive: true });
    for (const folder of ['dist/domain', 'dist/adapters', 'dist/geo']) {
      cpSync(join(ROOT, folder), join(root, folder), { recursive: true });
    }
    cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    const long = new Date(0);
    for (const folder of [...SOURCES, 'scripts']) {
      for (const name of readdirSync(join(root, folder), { recursive: true })) {
        utimesSync(join(root, folder, String(name)), long, long);
      }
    }
    const target = join(root, 'dist/geo/embedded.geo');
    const isCompiledAnew = (): boolean => {
      const before = statSync(target).ino;
      execFileSync(process.execPath, [join(root, SCRIPT)]);
      return statSync(target).ino !== before;
    };
    utimesSync(target, new Date(), new Date());
    assert.equal(isCompiledAnew(), false, 'though nothing has changed');
    const sources = sourcesOfCompiler();
    assert.ok(sources.length > 10, sources.join(' '));
    const isOwn = (path: string): boolean => OWN_FOLDERS.some((folder) => path.startsWith(folder));
    const missed = sources
      .filter((path) => !isOwn(path) || path === sources[0])
      .filter((path) => {
        const soon = new Date(Date.now() + 60_000);
        utimesSync(join(root, path), soon, soon);
        const isAnew = isCompiledAnew();
        utimesSync(join(root, path), long, long);
        return !isAnew;
      });
    assert.deepEqual(missed, []);
  });
});
