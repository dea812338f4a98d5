/** A worker whose primary dies while it is still starting. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('../../dist/cluster/worker-main.cjs', import.meta.url));

it(
  'a worker whose primary is gone before it can say that it is there ends without a word',
  { timeout: 300_000 },
  async () => {
    // As node:cluster forks it; the other end of the channel is closed before Node has started there.
    const env = { ...process.env, NODE_UNIQUE_ID: '1' };
    const child = spawn(process.execPath, [WORKER], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    child.disconnect();
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(stderr, '');
    assert.equal(code, 1);
  },
);
