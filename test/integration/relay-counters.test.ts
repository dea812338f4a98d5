/** What is counted for each backend is what went through, to the byte. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { atRest } from '../support/at-rest.js';
import { connectPeer } from '../support/peer.js';
import { randomBuffer } from '../support/random-bytes.js';
import { forCopyAndSplice } from '../support/relay-suite.js';
import { startProxy } from '../support/proxy-process.js';
import { startBackend } from '../support/tcp-backend.js';

const SIZES = [0, 1, 65_535, 65_536, 262_144, 1_000_003, (9 << 20) + 17];
const bytes = randomBuffer('counters', 10 << 20);

forCopyAndSplice((suite) => {
  it('counts every byte of both directions once, whatever the size', async (t) => {
    const { counters } = suite().proxy;
    let up = 0;
    let down = 0;
    for (const upload of SIZES) {
      for (const download of SIZES) {
        const { client, upstream } = await suite().pair(t);
        void client.end(bytes.subarray(0, upload));
        void upstream.end(bytes.subarray(0, download));
        const [got, taken] = await Promise.all([client.readToEnd(), upstream.readToEnd()]);
        assert.equal(got.length, download);
        assert.equal(taken.length, upload);
        up += upload;
        down += download;
        await suite().atRest();
        assert.equal(counters.total('BYTES_FROM_CLIENTS'), up);
        assert.equal(counters.total('BYTES_TO_CLIENTS'), down);
      }
    }
    const { slot } = suite();
    assert.equal(counters.backendTotal(slot, 'BYTES_FROM_CLIENTS'), up);
    assert.equal(counters.backendTotal(slot, 'BYTES_TO_CLIENTS'), down);
    assert.equal(counters.backendTotal(slot, 'CONNECTIONS'), SIZES.length ** 2);
    assert.equal(counters.ended('finished'), SIZES.length ** 2);
  });
});

it('counts no more bytes than arrived before an abort, and no fewer than were read', async (t) => {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, { workers: 1, backends: [{ port: backend.port }] });
  const client = await connectPeer(t, proxy);
  const upstream = await backend.nextPeer();
  client.socket.write(bytes);
  await upstream.read(1 << 20);
  upstream.reset();
  await atRest(proxy, 1);
  const counted = proxy.counters.total('BYTES_FROM_CLIENTS');
  assert.ok(counted >= 1 << 20 && counted <= bytes.length, `${counted} bytes`);
});

it('counts connections and bytes of each backend apart, summed over the workers', async (t) => {
  const backends = await Promise.all([startBackend(t), startBackend(t), startBackend(t)]);
  // One place each: the second client cannot go where the first one went.
  const rows = backends.map(({ port }) => ({ port, hardLimit: 1 }));
  const proxy = await startProxy(t, { workers: 2, backends: rows });
  const { counters } = proxy;
  const clients = [await connectPeer(t, proxy), await connectPeer(t, proxy), await connectPeer(t, proxy)];
  await Promise.all(
    backends.map(async (backend, index) => {
      const upstream = await backend.nextPeer();
      void upstream.end(bytes.subarray(0, 1000 * (index + 1)));
    }),
  );
  await Promise.all(
    clients.map(async (client) => {
      const answer = await client.readToEnd();
      await client.end(answer.subarray(0, answer.length / 10));
    }),
  );
  await atRest(proxy, 3);
  for (const [index, { port }] of backends.entries()) {
    const slot = counters.slotOf(port);
    assert.equal(counters.backendTotal(slot, 'CONNECTIONS'), 1);
    assert.equal(counters.backendTotal(slot, 'BYTES_TO_CLIENTS'), 1000 * (index + 1));
    assert.equal(counters.backendTotal(slot, 'BYTES_FROM_CLIENTS'), 100 * (index + 1));
  }
});
