/**
 * A reader that stalls for half a minute while the other side has more to send: the sender is held back, memory of the
 * worker and of the kernel stays what it was, and nothing is lost when the reader goes on.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { residentBytes } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import { randomChunks, randomStream, sha256 } from '../support/random-bytes.js';
import { settled } from '../support/settled.js';
import { startBackend } from '../support/tcp-backend.js';
import { tcpEntries } from '../support/tcp-table.js';

const STALL_MS = 30_000;
/** Four senders at once, all of this process. */
const SETTLING_MS = 240_000;
const LOOK_MS = 3_000;
const MIB = 1 << 20;
/** More than kernel and relay can hold together. */
const SENT_BYTES = 192 * MIB;
const READ_BEFORE_BYTES = 16 * MIB;
/** Of V8 and the allocator, and what the kernel moves yet from one queue to the next: all that is sent would dwarf it. */
const NOISE_BYTES = 16 * MIB;
const KEY = 'stall';
const digest = sha256(randomChunks(KEY, SENT_BYTES));

describe('a reader that stalls for 30 s', { concurrency: true }, () => {
  for (const splice of ['off', 'on']) {
    for (const reads of ['client', 'backend']) {
      const mode = splice === 'on' ? 'splicing' : 'copying';
      it(`(${reads} reads, ${mode}) holds the sender back and loses nothing`, { timeout: 600_000 }, async (t) => {
        const backend = await startBackend(t);
        const proxy = await startProxy(t, {
          workers: 1,
          backends: [{ port: backend.port }],
          env: { EDGEPROXY_SPLICE: splice },
        });
        const client = await connectPeer(t, proxy);
        const upstream = await backend.nextPeer();
        const [reader, sender] = reads === 'client' ? [client, upstream] : [upstream, client];
        const { counters, workerPids } = proxy;
        const [workerPid = 0] = workerPids;
        const moved = (): number => counters.total('BYTES_TO_CLIENTS') + counters.total('BYTES_FROM_CLIENTS');
        const sending = pipeline(randomStream(KEY, SENT_BYTES), sender.socket);
        const hash = createHash('sha256').update(await reader.read(READ_BEFORE_BYTES));

        const movedAtStall = await settled('bytes moved while the reader stalls', moved, SETTLING_MS);
        assert.ok(movedAtStall < SENT_BYTES, 'the sender is held back');
        const before = memoryOf(workerPid, [proxy.port, backend.port]);
        for (let waitedMs = 0; waitedMs < STALL_MS; waitedMs += LOOK_MS) {
          await delay(LOOK_MS);
          assert.ok(moved() <= movedAtStall + NOISE_BYTES, `${moved()} bytes moved after ${movedAtStall}`);
          const now = memoryOf(workerPid, [proxy.port, backend.port]);
          assert.ok(
            now.worker <= before.worker + NOISE_BYTES,
            `${now.worker} after ${before.worker} bytes in the worker`,
          );
          assert.ok(
            now.kernel <= before.kernel + NOISE_BYTES,
            `${now.kernel} after ${before.kernel} bytes in the kernel`,
          );
          assert.ok(counters.gauges('PENDING_BYTES') <= MIB);
          assert.ok(counters.gauges('SPLICE_PIPES') <= 2);
        }

        for await (const chunk of reader.chunks()) hash.update(chunk);
        await sending;
        assert.equal(hash.digest('hex'), digest);
        assert.equal(moved(), SENT_BYTES);
        await reader.end();
        await eventually('the connection is over', () => counters.ended('finished') === 1);
        await eventually('no byte pends', () => counters.gauges('PENDING_BYTES') === 0);
      });
    }
  }
});

/** Resident bytes of the worker, and bytes queued in the kernel for every socket that has one of these ports. */
function memoryOf(workerPid: number, ports: readonly number[]): { readonly worker: number; readonly kernel: number } {
  const entries = tcpEntries(...ports);
  const kernel = entries.reduce((sum, { unsentBytes, unreadBytes }) => sum + unsentBytes + unreadBytes, 0);
  return { worker: residentBytes(workerPid), kernel };
}
