/** A gibibyte each way at once, byte for byte, and counted exactly. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { pipeline } from 'node:stream/promises';
import type { Socket } from 'node:net';
import { randomChunks, randomStream, sha256 } from '../support/random-bytes.js';
import { forCopyAndSplice } from '../support/relay-suite.js';

const GIB = 1 << 30;
const TIMEOUT_MS = 600_000;
const keys = { up: 'upload', down: 'download' };
const sent = { up: sha256(randomChunks(keys.up, GIB)), down: sha256(randomChunks(keys.down, GIB)) };

forCopyAndSplice((suite, mode) => {
  it('moves 1 GiB both ways at once, unchanged', { timeout: TIMEOUT_MS }, async (t) => {
    const { counters } = suite().proxy;
    const { client, upstream } = await suite().pair(t);
    const [up, down] = await Promise.all([
      digestOf(upstream.socket),
      digestOf(client.socket),
      pipeline(randomStream(keys.up, GIB), client.socket),
      pipeline(randomStream(keys.down, GIB), upstream.socket),
    ]);
    assert.deepEqual({ up, down }, sent);

    await suite().atRest();
    const { slot } = suite();
    for (const name of ['BYTES_TO_CLIENTS', 'BYTES_FROM_CLIENTS'] as const) {
      assert.equal(counters.total(name), GIB, name);
      assert.equal(counters.backendTotal(slot, name), GIB, name);
    }
    assert.equal(counters.backendTotal(slot, 'CONNECTIONS'), 1);
    assert.equal(counters.total('ACCEPTED'), 1);
    assert.equal(counters.ended('finished'), 1);
    const pipes = counters.gauges('SPLICE_PIPES');
    assert.ok(mode === 'on' ? pipes >= 1 && pipes <= 2 : pipes === 0, `${pipes} pipes`);
  });
});

/** SHA-256 of all that arrives until the end. */
async function digestOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  await new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject));
  return hash.digest('hex');
}
