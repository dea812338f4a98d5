import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchDirectory } from '../support/scratch-directory.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

describe('regions on the command line', () => {
  it('are written to the routing database in lower case, and found in either', async (test) => {
    const cwd = await scratchDirectory(test);
    const edgeproxy = (...args: string[]): string =>
      execFileSync(process.execPath, [MAIN, 'backend', ...args], { cwd, encoding: 'utf8' });
    edgeproxy('add', '--id', 'one', '--ip', '10.0.0.1', '--port', '80', '--region', 'SA');
    edgeproxy('add', '--id', 'two', '--ip', '10.0.0.2', '--port', '80', '--region', 'eu');
    const listed = JSON.parse(edgeproxy('list', '--json', '--region', 'Sa')) as { id: string; region: string }[];
    assert.deepEqual(
      listed.map(({ id, region }) => [id, region]),
      [['one', 'sa']],
    );
  });
});
