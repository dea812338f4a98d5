/** What a start must not wait for: packages that only threads or later reloads need. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = `
  import { createRequire } from 'node:module';
  await import('./src/cluster/primary.ts');
  const { cache } = createRequire(process.cwd() + '/');
  const packages = Object.keys(cache).map((path) => /node_modules\\/([^/]+)/.exec(path)?.[1]);
  console.log(JSON.stringify([...new Set(packages)]));`;

describe("the primary's modules", () => {
  it('load what opens the routing database, but neither piscina nor a reader of geo databases', () => {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM];
    const packages = JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })) as string[];
    assert.ok(packages.includes('better-sqlite3'), packages.join(' '));
    assert.deepEqual(
      packages.filter((name) => ['piscina', 'maxmind', 'mmdb-lib', 'pino-pretty'].includes(name)),
      [],
    );
  });
});
