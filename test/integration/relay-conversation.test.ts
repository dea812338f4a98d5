/** Who speaks when: nothing may wait for a side that has nothing to say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { randomBuffer } from '../support/random-bytes.js';
import { forCopyAndSplice, relaySuite } from '../support/relay-suite.js';

/**
 * Delayed ACKs and Nagle's algorithm cost 40 or 200 ms, time and again. Far below is the median of a few tries, or of the next
 * few where the machine was busy with something else.
 */
const NO_DELAY_MS = 30;
const TRIES = 15;

describe('without an added delay', () => {
  const suite = relaySuite();

  it('a backend that speaks first is heard before the client has said a word', async (t) => {
    await isQuick(async () => {
      const startMs = performance.now();
      const { client, upstream } = await suite().pair(t);
      upstream.socket.write('220 ready\r\n');
      assert.equal((await client.read(11)).toString(), '220 ready\r\n');
      const tookMs = performance.now() - startMs;
      await client.write('HELO\r\n');
      assert.equal((await upstream.read(6)).toString(), 'HELO\r\n');
      client.close();
      upstream.close();
      return tookMs;
    });
  });

  it('a client that writes three times and then reads is answered', async (t) => {
    await isQuick(async () => {
      const { client, upstream } = await suite().pair(t);
      const startMs = performance.now();
      for (const part of ['one ', 'two ', 'three']) client.socket.write(part);
      assert.equal((await upstream.read(13)).toString(), 'one two three');
      upstream.socket.write('answer');
      assert.equal((await client.read(6)).toString(), 'answer');
      const tookMs = performance.now() - startMs;
      client.close();
      upstream.close();
      return tookMs;
    });
  });

  it('a client whose first bytes come with the connect is answered, again and again', async (t) => {
    await isQuick(async () => {
      const startMs = performance.now();
      const client = await connectPeer(t, suite().proxy);
      client.socket.write('question');
      const upstream = await suite().backend.nextPeer();
      for (let turn = 0; turn < 3; turn++) {
        assert.equal((await upstream.read(8)).toString(), 'question');
        upstream.socket.write('answer');
        assert.equal((await client.read(6)).toString(), 'answer');
        client.socket.write('question');
      }
      const tookMs = performance.now() - startMs;
      client.close();
      upstream.close();
      return tookMs;
    });
  });
});

forCopyAndSplice((suite) => {
  it('passes on messages of every size, alternating, in order', async (t) => {
    const { client, upstream } = await suite().pair(t);
    const sizes = [1, 2, 1447, 1448, 1449, 4095, 65_535, 65_536, 65_537, 131_072, 3, 1 << 20, 1, 262_144, 7];
    const bytes = randomBuffer('sizes', 1 << 20);
    for (const size of sizes) {
      await exchange(client, upstream, bytes.subarray(0, size));
      await exchange(upstream, client, bytes.subarray(0, size));
    }
    client.close();
    upstream.close();
  });

  it('passes on a stream that turns into messages and back, both ways at once', async (t) => {
    const { client, upstream } = await suite().pair(t);
    const bulk = randomBuffer('turns', 4 << 20);
    for (let turn = 0; turn < 5; turn++) {
      await Promise.all([exchange(client, upstream, bulk), exchange(upstream, client, bulk)]);
      for (let i = 0; i < 50; i++) {
        const message = bulk.subarray(i * 100, i * 100 + 64);
        await Promise.all([exchange(client, upstream, message), exchange(upstream, client, message)]);
      }
    }
    client.close();
    upstream.close();
  });

  it('loses nothing of a thousand one-byte segments', async (t) => {
    const { client, upstream } = await suite().pair(t);
    const bytes = randomBuffer('single', 1000);
    const arrived = upstream.read(bytes.length);
    for (let i = 0; i < bytes.length; i++) client.socket.write(bytes.subarray(i, i + 1));
    assert.deepEqual(await arrived, bytes);
    client.close();
    upstream.close();
  });
});

async function exchange(from: Peer, to: Peer, bytes: Buffer): Promise<void> {
  const arrived = to.read(bytes.length);
  from.socket.write(bytes);
  assert.ok((await arrived).equals(bytes), `${bytes.length} bytes arrive as they were sent`);
}

/** Waits until the median of several exchanges shows no delay. */
async function isQuick(exchangeMs: () => Promise<number>): Promise<void> {
  let median = Infinity;
  const look = async (): Promise<boolean> => {
    const tookMs: number[] = [];
    for (let i = 0; i < TRIES; i++) tookMs.push(await exchangeMs());
    median = tookMs.toSorted((a, b) => a - b)[Math.floor(TRIES / 2)] ?? Infinity;
    return median < NO_DELAY_MS;
  };
  await eventually('it takes no longer than it must', look, { state: () => median });
}
