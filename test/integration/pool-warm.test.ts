/** Warm backend connections, as backends see them: who gets one, that nobody shares one, and when they go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { banner } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { descriptorKinds } from '../support/process-facts.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend, type Behaviour, type TcpBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const ROUNDS = 12;
/** Of a client that has connected and is about to write, this machine takes less, however busy. */
const SILENCE_MS = 500;

interface World {
  readonly proxy: ProxyProcess;
  readonly backend: TcpBackend;
}

async function startWorld(
  owner: Owner,
  pool: Readonly<Record<string, string>> = {},
  { behaviour, ...options }: ProxyOptions & { readonly behaviour?: Behaviour } = {},
): Promise<World> {
  const backend = await startBackend(owner, behaviour);
  const env = { EDGEPROXY_POOL_ENABLED: 'on', EDGEPROXY_BINDING_TTL_SECS: '0', ...pool };
  return {
    proxy: await startProxy(owner, { workers: 1, backends: [{ port: backend.port }], ...options, env }),
    backend,
  };
}

function warm({ proxy }: World): number {
  return proxy.counters.gauges('WARM_CONNECTIONS');
}

/** Not ACTIVE: the acceptor counts whom it has only sent on. */
async function untilConnected({ proxy: { counters }, backend }: World, clients: number): Promise<void> {
  const slot = counters.slotOf(backend.port);
  const state = (): number => counters.backendTotal(slot, 'CONNECTIONS');
  await eventually(`${clients} clients have a connection`, () => state() === clients, { state });
}

async function untilWarm(world: World, count: number): Promise<void> {
  const state = (): number => warm(world);
  await eventually(`${count} connections are warm`, () => warm(world) === count, { state });
}

/** Clients that have said nothing, each on a connection that was warm. */
async function silentClients(owner: Owner, world: World, count: number): Promise<Peer[]> {
  const clients: Peer[] = [];
  while (clients.length < count) {
    const { counters } = world.proxy;
    const [taken, missed] = [counters.total('WARM_TAKEN'), counters.total('WARM_MISSED')];
    await eventually('one is warm', () => warm(world) > 0);
    const client = await connectPeer(owner, world.proxy);
    await eventually(
      'it is taken, or has yet to settle',
      () => counters.total('WARM_TAKEN') + counters.total('WARM_MISSED') === taken + missed + 1,
    );
    if (counters.total('WARM_TAKEN') > taken) clients.push(client);
    else client.reset();
  }
  return clients;
}

/** Two of three of the connections that have not served anybody: handed out or not, nobody can have sent over them. */
function endSome(backend: TcpBackend, round: number): void {
  const silent = backend.peers.filter(({ socket }) => !socket.destroyed && socket.bytesRead === 0);
  silent.forEach((peer, index) => {
    if ((index + round) % 3 === 0) peer.close();
    else if ((index + round) % 3 === 1) peer.reset();
  });
}

/** Once, with what has come so far. */
function answer({ socket }: Peer): void {
  if (!socket.writableEnded && socket.readableLength > 0) socket.end(socket.read() as Buffer);
}

async function exchange(client: Peer, upstream: Peer, text: string): Promise<void> {
  await client.write(text);
  assert.equal(String(await upstream.read(text.length)), text);
  await upstream.write(text.toUpperCase());
  assert.equal(String(await client.read(text.length)), text.toUpperCase());
}

describe('a pooled backend', TIME_LIMIT, () => {
  it('has the connection of the second client before that client comes', async (t) => {
    const world = await startWorld(t);
    const { proxy, backend } = world;
    const first = await connectPeer(t, proxy);
    await exchange(first, await backend.nextPeer(), 'first');
    const ahead = await backend.nextPeer();
    await untilWarm(world, 1);

    const second = await connectPeer(t, proxy);
    await exchange(second, ahead, 'second');
    // And the next one is under way.
    await backend.nextPeer();
    const slot = proxy.counters.slotOf(backend.port);
    assert.equal(proxy.counters.total('WARM_TAKEN'), 1);
    assert.equal(proxy.counters.total('WARM_MISSED'), 1);
    assert.equal(proxy.counters.backendTotal(slot, 'CONNECTIONS'), 2);
    assert.equal(proxy.counters.active(slot), 2);
  });

  it('that speaks first greets each client once', async (t) => {
    const world = await startWorld(t, {}, { behaviour: banner('welcome\n') });
    for (let i = 0; i < 20; i++) {
      const client = await connectPeer(t, world.proxy);
      await client.write(`hello ${i}`);
      assert.equal(String(await client.read(`welcome\nhello ${i}`.length)), `welcome\nhello ${i}`);
      if (i % 3 === 0) client.reset();
      else client.close();
      await eventually('one is warm', () => warm(world) > 0);
    }
    assert.equal(world.proxy.counters.total('WARM_TAKEN'), 19);
  });

  it('never sees the bytes of two clients on one connection', async (t) => {
    const world = await startWorld(t, { EDGEPROXY_POOL_MAX_PER_BACKEND: '6' }, { workers: 2 });
    const { proxy, backend } = world;
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(Array.from({ length: 12 }, () => connectPeer(t, proxy)));
      await Promise.all(clients.map((client, index) => client.end(`<${round}.${index}>`)));
      await eventually(
        'all are served',
        () => backend.peers.filter(({ socket }) => socket.readableLength > 0).length === 12,
      );
      for (const { socket } of backend.peers.filter((peer) => peer.socket.readableLength > 0)) {
        assert.match(String(socket.read()), /^<\d+\.\d+>$/);
        socket.end();
      }
      for (const client of clients) assert.equal(await client.ending(), 'end');
    }
    assert.ok(proxy.counters.total('WARM_TAKEN') > 20);
    for (const { socket } of backend.peers) assert.ok(socket.bytesRead <= '<9.11>'.length);
  });

  it('gets no more than its share of them, over all workers', async (t) => {
    const world = await startWorld(t, { EDGEPROXY_POOL_MAX_PER_BACKEND: '4' }, { workers: 3 });
    const clients = await Promise.all(Array.from({ length: 30 }, () => connectPeer(t, world.proxy)));
    await untilWarm(world, 4);
    await eventually('each client and each warm one is connected', () => world.backend.peers.length === 34);
    for (const client of clients) client.reset();
    await eventually('the clients are gone', () => world.proxy.counters.gauges('ACTIVE') === 0);
    assert.equal(warm(world), 4);
  });

  it('loses those that nobody takes, and the worker their descriptors', async (t) => {
    const world = await startWorld(t, { EDGEPROXY_POOL_IDLE_TIMEOUT_SECS: '0.3' });
    const [worker = 0] = world.proxy.workerPids;
    const sockets = (): number => descriptorKinds(worker)['socket'] ?? 0;
    const atStart = sockets();
    const clients = await Promise.all(Array.from({ length: 5 }, () => connectPeer(t, world.proxy)));
    await eventually('some are warm', () => warm(world) > 0);
    await untilConnected(world, 5);
    for (const client of clients) client.reset();
    await untilWarm(world, 0);
    await eventually('all descriptors are back', () => sockets() === atStart, { state: sockets });
    const endings = await Promise.all(world.backend.peers.map((peer) => peer.ending()));
    assert.equal(endings.filter((ending) => ending === 'ECONNRESET').length, 5);
    assert.ok(endings.includes('end'));
  });

  it('has them renewed at their age limit while clients come', async (t) => {
    const world = await startWorld(t, { EDGEPROXY_POOL_MAX_LIFETIME_SECS: '0.3' });
    const { proxy, backend } = world;
    await exchange(await connectPeer(t, proxy), await backend.nextPeer(), 'first');
    const old = await backend.nextPeer();
    assert.equal(await old.ending(), 'end');
    await backend.nextPeer();
    assert.equal(proxy.counters.total('WARM_TAKEN'), 0);
  });

  it('keeps nothing of a worker that was killed', async (t) => {
    const world = await startWorld(t);
    const { proxy, backend } = world;
    const clients = await Promise.all(Array.from({ length: 4 }, () => connectPeer(t, proxy)));
    await eventually('some are warm', () => warm(world) > 0);
    // One that is still on its way to the worker would be its successor's client.
    await untilConnected(world, 4);
    const [worker = 0] = proxy.workerPids;
    const succeeded = proxy.log.next(({ msg }) => msg === 'worker takes clients');
    process.kill(worker, 'SIGKILL');
    await Promise.all(backend.peers.map((peer) => peer.ending()));
    await succeeded;
    assert.equal(warm(world), 0);
    await Promise.all(clients.map((client) => client.ending()));
    const client = await connectPeer(t, proxy);
    await client.write('again');
    await untilWarm(world, 1);
  });

  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`loses them at once when the proxy drains, ${accept}`, async (t) => {
      const world = await startWorld(t, {}, { accept });
      const { proxy, backend } = world;
      const client = await connectPeer(t, proxy);
      const upstream = await backend.nextPeer();
      const ahead = await backend.nextPeer();
      await untilWarm(world, 1);
      const stopped = proxy.stop();
      assert.equal(await ahead.ending(), 'end');
      await exchange(client, upstream, 'still relayed');
      client.reset();
      assert.deepEqual(await stopped, { code: 0, signal: null });
      assert.equal(backend.peers.length, 2);
    });
  }
});

describe('warm connections that die', TIME_LIMIT, () => {
  it('cost no client anything, whenever their backend ends or resets them before it has bytes', async (t) => {
    const world = await startWorld(t, { EDGEPROXY_POOL_MAX_PER_BACKEND: '8' });
    const { proxy, backend } = world;
    const first = await connectPeer(t, proxy);
    await exchange(first, await backend.nextPeer(), 'first');
    for (let round = 0; round < ROUNDS; round++) {
      const early = await silentClients(t, world, 3);
      endSome(backend, round);
      const late = await Promise.all(Array.from({ length: 3 }, () => connectPeer(t, proxy)));
      const answering = setInterval(() => backend.peers.forEach(answer), 1);
      await Promise.all(
        [...early, ...late].map(async (client, index) => {
          const text = `${round}-${index};`;
          await client.write(text);
          assert.equal(String(await client.readToEnd()), text);
          client.close();
        }),
      );
      clearInterval(answering);
    }
    assert.equal(proxy.counters.rejected('connect_failed'), 0);
    assert.equal(proxy.counters.ended('backend_reset'), 0);
  });

  it('leave the clients to ordinary connects while the backend closes everything that says nothing', async (t) => {
    const world = await startWorld(
      t,
      {},
      {
        behaviour: async (peer) => {
          peer.socket.setTimeout(SILENCE_MS, () => peer.reset());
          await once(peer.socket, 'readable');
          peer.socket.setTimeout(0);
          answer(peer);
        },
      },
    );
    for (let i = 0; i < 30; i++) {
      const client = await connectPeer(t, world.proxy);
      await client.write('now');
      assert.equal(String(await client.readToEnd()), 'now');
      client.close();
      if (i % 5 === 0) await eventually('the warm ones are gone', () => warm(world) === 0);
    }
  });
});
