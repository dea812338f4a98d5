/** What a client gets when its backend does not answer as it should. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atRest } from '../support/at-rest.js';
import { blackhole, refused, unreachable, type Destination } from '../support/dead-ends.js';
import { nameAndEnd } from '../support/backend-behaviours.js';
import { eventually, within } from '../support/eventually.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { openDescriptors } from '../support/process-facts.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { settled } from '../support/settled.js';
import { startBackend } from '../support/tcp-backend.js';
import type { BackendError } from '../../src/domain/shared/layout.js';

/** Loopback has no country, so the POP's own region is preferred. */
const FIRST = { region: 'sa' };
const LAST = { region: 'eu' };
/** Whoever waits for this timeout fails the test. */
const NEVER = { EDGEPROXY_CONNECT_TIMEOUT_MS: '600000' };

describe('a connect that fails', () => {
  const failures: readonly { what: string; error: BackendError; to: (t: Owner) => Promise<Destination> }[] = [
    { what: 'refused', error: 'refused', to: () => refused() },
    { what: 'refused over IPv6', error: 'refused', to: () => refused('::1') },
    { what: 'unreachable', error: 'unreachable', to: () => Promise.resolve(unreachable()) },
    { what: 'timed out', error: 'timeout', to: blackhole },
  ];
  for (const { what, error, to } of failures) {
    it(`(${what}) goes to the next backend, unseen by the client`, async (t) => {
      const alive = await startBackend(t, nameAndEnd('alive'));
      const dead = await to(t);
      const proxy = await startProxy(t, {
        backends: [
          { ...dead, ...FIRST },
          { port: alive.port, ...LAST },
        ],
        env: { EDGEPROXY_CONNECT_TIMEOUT_MS: '300' },
      });
      const client = await connectPeer(t, proxy);
      assert.equal((await client.readToEnd()).toString(), 'alive');
      client.close();
      const { counters } = proxy;
      await atRest(proxy, 2);
      assert.equal(counters.backendErrors(counters.slotOf(dead.port), error), 1);
      assert.equal(counters.backendTotal(counters.slotOf(dead.port), 'CONNECTIONS'), 0);
      assert.equal(counters.backendTotal(counters.slotOf(alive.port), 'CONNECTIONS'), 1);
      assert.equal(counters.ended('finished'), 1);
    });

    it(`(${what}) resets the client when nobody is left, counted`, async (t) => {
      const dead = [await to(t), await to(t)];
      const backends = dead.map((each, index) => ({ ...each, port: each.port + (each.port < 100 ? index : 0) }));
      const proxy = await startProxy(t, { backends, env: { EDGEPROXY_CONNECT_TIMEOUT_MS: '300' } });
      assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
      const { counters } = proxy;
      await atRest(proxy, 2);
      assert.equal(counters.rejected('connect_failed'), 1);
      for (const { port } of backends) assert.equal(counters.backendErrors(counters.slotOf(port), error), 1);
    });
  }

  it('is tried no more often than CONNECT_RETRIES allows', async (t) => {
    const dead = await Promise.all(Array.from({ length: 6 }, () => refused()));
    const proxy = await startProxy(t, { backends: dead, env: { EDGEPROXY_CONNECT_RETRIES: '3' } });
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    const { counters } = proxy;
    await atRest(proxy, 6);
    const tries = dead.map(({ port }) => counters.backendErrors(counters.slotOf(port), 'refused'));
    assert.deepEqual(tries.sort(), [0, 0, 1, 1, 1, 1]);
  });

  it('is given up when the time of all tries is over, whatever tries are left and whatever each may take', async (t) => {
    const dead = [await blackhole(t), await blackhole(t)];
    const proxy = await startProxy(t, { backends: dead, env: { ...NEVER, EDGEPROXY_CONNECT_TOTAL_TIMEOUT_MS: '300' } });
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    const { counters } = proxy;
    await atRest(proxy, 2);
    assert.equal(counters.rejected('connect_failed'), 1);
    const timeouts = dead.map(({ port }) => counters.backendErrors(counters.slotOf(port), 'timeout'));
    assert.deepEqual(timeouts.sort(), [0, 1]);
  });

  it('costs a refusal no time: the next backend is dialled at once', async (t) => {
    const alive = await startBackend(t, nameAndEnd('alive'));
    const dead = await Promise.all([refused(), refused()]);
    const proxy = await startProxy(t, {
      backends: [...dead.map((each) => ({ ...each, ...FIRST })), { port: alive.port, ...LAST }],
      env: NEVER,
    });
    const client = await connectPeer(t, proxy);
    assert.equal((await client.readToEnd()).toString(), 'alive');
  });

  it('does not lose what the client has sent meanwhile', async (t) => {
    const alive = await startBackend(t);
    const dead = await blackhole(t);
    const proxy = await startProxy(t, {
      backends: [
        { ...dead, ...FIRST },
        { port: alive.port, ...LAST },
      ],
      env: { EDGEPROXY_CONNECT_TIMEOUT_MS: '300' },
    });
    const client = await connectPeer(t, proxy);
    await client.end('sent into the dark');
    const upstream = await alive.nextPeer();
    assert.equal((await upstream.readToEnd()).toString(), 'sent into the dark');
    await upstream.end('seen');
    assert.equal((await client.readToEnd()).toString(), 'seen');
  });

  it('rejects at once where there is no backend at all', async (t) => {
    const proxy = await startProxy(t);
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    await atRest(proxy, 1);
    assert.equal(proxy.counters.rejected('no_backend'), 1);
  });
});

describe('a client that is gone before the backend answers', () => {
  it('gives its place back at once when it resets', async (t) => {
    const { proxy, clients, slot } = await waitingClients(t, 20);
    for (const client of clients) client.reset();
    await atRest(proxy, slot + 1);
    assert.equal(proxy.counters.rejected('client_gone'), 20);
    assert.equal(proxy.counters.backendErrors(slot, 'timeout'), 0);
  });

  it('keeps its place while it has only ended: it still waits for an answer', async (t) => {
    const { proxy, clients } = await waitingClients(t, 1, { EDGEPROXY_CONNECT_TIMEOUT_MS: '3000' });
    await clients[0]?.end('question');
    assert.equal(await clients[0]?.ending(), 'ECONNRESET');
    // Whoever gives its place back before has gone by its own will.
    assert.equal(proxy.counters.rejected('client_gone'), 0);
    assert.equal(proxy.counters.rejected('connect_failed'), 1);
  });

  it('leaves no descriptor behind', async (t) => {
    const { proxy, slot } = await waitingClients(t, 0);
    const descriptors = (): number => proxy.workerPids.reduce((sum, pid) => sum + openDescriptors(pid), 0);
    const before = await settled('descriptors of workers that have just started', descriptors);
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(Array.from({ length: 10 }, () => connectPeer(t, proxy)));
      await eventually('they wait for the backend', () => proxy.counters.active(slot) === 10);
      for (const client of clients) client.reset();
      await atRest(proxy, slot + 1);
    }
    await eventually('descriptors are closed', () => descriptors() === before, { state: descriptors });
  });

  it('frees a place under the hard limit for the next client', async (t) => {
    const dead = await blackhole(t);
    const proxy = await startProxy(t, { backends: [{ ...dead, hardLimit: 1 }], env: NEVER });
    const slot = proxy.counters.slotOf(dead.port);
    const first = await connectPeer(t, proxy);
    await eventually('the place is taken', () => proxy.counters.active(slot) === 1);
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    assert.equal(proxy.counters.rejected('no_backend'), 1);
    first.reset();
    await atRest(proxy, slot + 1);
    await connectPeer(t, proxy);
    await eventually('the place is taken again', () => proxy.counters.active(slot) === 1);
  });
});

interface Waiting {
  readonly proxy: ProxyProcess;
  readonly clients: readonly Peer[];
  readonly slot: number;
}

/** Clients whose backend will never answer, each holding a place. */
async function waitingClients(t: Owner, count: number, env: Record<string, string> = {}): Promise<Waiting> {
  const dead = await blackhole(t);
  const proxy = await startProxy(t, {
    backends: [dead],
    env: { ...NEVER, ...env },
  });
  const slot = proxy.counters.slotOf(dead.port);
  const clients = await within(
    'clients connect',
    Promise.all(Array.from({ length: count }, () => connectPeer(t, proxy))),
  );
  await eventually('they wait for the backend', () => proxy.counters.active(slot) === count);
  return { proxy, clients, slot };
}
