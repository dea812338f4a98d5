import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Peer } from '../support/peer.js';
import { randomBuffer, sha256 } from '../support/random-bytes.js';
import { forCopyAndSplice, type RelaySuite } from '../support/relay-suite.js';

const BULK_BYTES = 8 << 20;
const ON_THE_WAY_BYTES = 192 << 10;
const bulk = randomBuffer('half-close', BULK_BYTES);
const bulkDigest = sha256([bulk]);

for (const listen of ['127.0.0.1:0', '[::1]:0']) {
  describe(`on ${listen}`, () => forCopyAndSplice(halfCloseTests, { listen }));
}

function halfCloseTests(suite: () => RelaySuite): void {
  it('gives a client that ends first the whole answer', async (t) => {
    const { client, upstream } = await suite().pair(t);
    await answerAfterEnd(client, upstream);
    await suite().atRest();
  });

  it('takes the whole upload of a client whose backend ends first', async (t) => {
    const { client, upstream } = await suite().pair(t);
    await answerAfterEnd(upstream, client);
    await suite().atRest();
  });

  it('lets both sides end at the same time', async (t) => {
    const { client, upstream } = await suite().pair(t);
    void client.end(bulk);
    void upstream.end(bulk);
    const [down, up] = await Promise.all([client.readToEnd(), upstream.readToEnd()]);
    assert.equal(sha256([down]), bulkDigest);
    assert.equal(sha256([up]), bulkDigest);
    await suite().atRest();
  });

  it('passes on an end without a byte, and the end that answers it', async (t) => {
    const { client, upstream } = await suite().pair(t);
    await client.end();
    assert.equal((await upstream.readToEnd()).length, 0);
    await upstream.end();
    assert.equal((await client.readToEnd()).length, 0);
    await suite().atRest();
  });

  it('delivers every byte before the end, also to one who reads long after it', async (t) => {
    const { client, upstream } = await suite().pair(t);
    // As much as fits on the way: the end is with the proxy before the client takes the first byte.
    await upstream.end(bulk.subarray(0, ON_THE_WAY_BYTES));
    await client.write('still here');
    assert.equal((await upstream.read(10)).toString(), 'still here');
    assert.deepEqual(await client.readToEnd(), bulk.subarray(0, ON_THE_WAY_BYTES));
    await client.end();
    assert.equal((await upstream.readToEnd()).length, 0);
    await suite().atRest();
  });

  it('goes on talking in small messages after one side has ended', async (t) => {
    const { client, upstream } = await suite().pair(t);
    await client.end();
    assert.equal((await upstream.readToEnd()).length, 0);
    for (let i = 0; i < 100; i++) {
      await upstream.write(`message ${i}\n`);
      const expected = `message ${i}\n`;
      assert.equal((await client.read(expected.length)).toString(), expected);
    }
    await upstream.end();
    assert.equal((await client.readToEnd()).length, 0);
    await suite().atRest();
  });

  it('counts a relay that both sides ended as finished', async (t) => {
    const { counters } = suite().proxy;
    const before = counters.ended('finished');
    const { client, upstream } = await suite().pair(t);
    await client.end('question');
    await upstream.readToEnd();
    await upstream.end('answer');
    assert.equal((await client.readToEnd()).toString(), 'answer');
    await suite().atRest();
    assert.equal(counters.ended('finished'), before + 1);
    for (const reason of ['client_reset', 'backend_reset', 'idle_timeout', 'half_close_timeout'] as const) {
      assert.equal(counters.ended(reason), 0, reason);
    }
  });
}

/** `first` uploads and ends; `second` answers only after that end. */
async function answerAfterEnd(first: Peer, second: Peer): Promise<void> {
  void first.end(bulk);
  assert.equal(sha256([await second.readToEnd()]), bulkDigest);
  void second.end(bulk);
  assert.equal(sha256([await first.readToEnd()]), bulkDigest);
}
