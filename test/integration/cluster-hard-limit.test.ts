/** Places are reserved when the decision is made: a burst over all workers cannot overshoot a backend's hard limit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 4;
const CLIENTS = 1000;
const HARD_LIMIT = 100;
const TEXT = 'place';

interface Burst {
  readonly served: readonly Peer[];
  /** How the others ended. */
  readonly endings: readonly string[];
}

/** All connect at once; each writes and waits for its echo or its end. */
async function burst(owner: Owner, proxy: ProxyProcess, clients: number): Promise<Burst> {
  const served: Peer[] = [];
  const endings: string[] = [];
  await Promise.all(
    Array.from({ length: clients }, async () => {
      // A client may be reset before it has seen that it was connected.
      const peer = await connectPeer(owner, proxy).catch((error: unknown) => error as NodeJS.ErrnoException);
      if (peer instanceof Error) {
        endings.push(peer.code ?? peer.message);
        return;
      }
      await peer.write(TEXT).catch(() => undefined);
      const answer = await peer.read(TEXT.length).catch(() => null);
      if (answer === null) endings.push(await peer.ending());
      else served.push(peer);
    }),
  );
  return { served, endings };
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`the hard limit of a backend, ${accept}`, TIME_LIMIT, () => {
    it(`ends ${CLIENTS} simultaneous connects in exactly ${HARD_LIMIT} established`, async (t) => {
      const backend = await startBackend(t, echo);
      const backends = [{ port: backend.port, hardLimit: HARD_LIMIT }];
      const proxy = await startProxy(t, { accept, workers: WORKERS, backends });
      const { counters } = proxy;
      const slot = counters.slotOf(backend.port);

      const { served, endings } = await burst(t, proxy, CLIENTS);
      assert.equal(served.length, HARD_LIMIT);
      assert.deepEqual([...new Set(endings)], ['ECONNRESET']);
      assert.equal(counters.active(slot), HARD_LIMIT);
      assert.equal(counters.rejected('no_backend'), CLIENTS - HARD_LIMIT);
      assert.equal(backend.peers.length, HARD_LIMIT, 'the backend has seen more');
      assert.equal(counters.total('ACCEPTED'), CLIENTS);

      served[0]?.close();
      await eventually('a place is free', () => counters.active(slot) === HARD_LIMIT - 1);
      const next = await burst(t, proxy, 50);
      assert.equal(next.served.length, 1);
      assert.equal(counters.active(slot), HARD_LIMIT);

      for (const peer of [...served, ...next.served]) peer.close();
      await eventually('nothing is held any more', () => counters.gauges('ACTIVE') === 0);
      assert.deepEqual(counters.held(1), { active: 0, shares: 0, connections: 0 });
    });

    it('sends those beyond it to the next best backend', async (t) => {
      const [near, far] = [await startBackend(t, echo), await startBackend(t, echo)];
      const backends = [
        { port: near.port, region: 'sa', hardLimit: HARD_LIMIT },
        { port: far.port, region: 'us', hardLimit: 2 * HARD_LIMIT },
      ];
      const proxy = await startProxy(t, { accept, workers: WORKERS, backends });
      const { served } = await burst(t, proxy, CLIENTS);
      assert.equal(served.length, 3 * HARD_LIMIT);
      assert.deepEqual([near.peers.length, far.peers.length], [HARD_LIMIT, 2 * HARD_LIMIT]);
      assert.equal(proxy.counters.rejected('no_backend'), CLIENTS - 3 * HARD_LIMIT);
    });

    it('gives the place of a connect that failed to somebody else', async (t) => {
      const backend = await startBackend(t, echo);
      const proxy = await startProxy(t, { accept, workers: WORKERS, backends: [{ port: backend.port, hardLimit: 1 }] });
      const slot = proxy.counters.slotOf(backend.port);
      await backend.stopListening();
      const { served } = await burst(t, proxy, 20);
      assert.equal(served.length, 0);
      assert.ok(proxy.counters.backendErrors(slot, 'refused') > 0);
      assert.equal(proxy.counters.active(slot), 0);
      const again = await startBackend(t, echo, { port: backend.port });
      assert.equal((await burst(t, proxy, 20)).served.length, 1);
      assert.equal(again.peers.length, 1);
    });
  });
}
