/** What the first client must not wait for: code that is loaded before the workers are forked. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProxy } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const TIME_LIMIT = { timeout: 300_000 };
const TELL = fileURLToPath(new URL('../support/packages-at-fork.mjs', import.meta.url));

/** The files that Node.js loads with this one. */
function filesWith(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|\} from) ?(?:[^'"\n]* from )?"(\.[^"]+)";$/gm);
  for (const [, path = ''] of imports) filesWith(join(dirname(file), path), found);
  return found;
}

function chunk(name: string): string {
  const found = readdirSync(join(DIST, 'chunks')).filter((file) => file.startsWith(name) && file.endsWith('.js'));
  assert.equal(found.length, 1, `${name}: ${found.join(' ')}`);
  return join(DIST, 'chunks', found[0] ?? '');
}

describe("the primary's start", TIME_LIMIT, () => {
  it('forks before it loads what reads databases, writes the log or does anything later', async (t) => {
    const tellFile = join(await scratchDirectory(t), 'packages.json');
    await startProxy(t, { env: { NODE_OPTIONS: `--import ${TELL}`, TELL_FILE: tellFile } });
    assert.deepEqual(JSON.parse(readFileSync(tellFile, 'utf8')), ['commander']);
  });

  it('loads a few files instead of two hundred modules', () => {
    const ofPrimary = ['run-cli-', 'primary-'].flatMap((name) => [...filesWith(chunk(name))]);
    assert.ok(new Set(ofPrimary).size < 40, `${ofPrimary.length} files`);
    assert.ok(filesWith(join(DIST, 'cluster/worker.js')).size < 20);
  });
});
