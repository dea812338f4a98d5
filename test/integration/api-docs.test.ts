/** The commands of docs/api.md, as they are written there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { API_ENV, AdminApi } from '../support/admin-api.js';
import { program } from '../support/program.js';
import { startProxy } from '../support/proxy-process.js';

const TEXT = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
const TOKEN = 'a-token';

describe('docs/api.md', { timeout: 120_000 }, () => {
  it('has commands that do what they say', async (t) => {
    program('curl', 'curl');
    const proxy = await startProxy(t, { env: { ...API_ENV, EDGEPROXY_API_TOKEN: TOKEN } });
    const { url } = await AdminApi.of(proxy);
    const blocks = [...TEXT.matchAll(/```sh\n([^`]*)```/g)].map(([, text = '']) => text);
    const commands = blocks.filter((text) => text.includes('curl '));
    assert.ok(commands.length >= 5, String(commands.length));
    for (const command of commands) {
      const env = { PATH: process.env['PATH'], API: url, TOKEN };
      const { stdout } = await promisify(execFile)('sh', ['-euc', command], { env });
      assert.match(stdout, /^\{/, command);
    }
  });
});
