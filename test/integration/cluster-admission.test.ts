/** Who may come in, and how often: rate, connections per address and lists, with real processes and real addresses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { startConfigured } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const MODES = ['handoff', 'reuseport'] as const;
const [FLOODER, OTHER] = ['127.0.0.2', '127.0.0.3'];
/** Nobody gets a second token while a test runs. */
const ONE_A_DAY = {
  EDGEPROXY_RATE_LIMIT_ENABLED: 'on',
  EDGEPROXY_RATE_LIMIT_MAX_REQUESTS: '1',
  EDGEPROXY_RATE_LIMIT_WINDOW_SECS: '86400',
};

async function startEcho(owner: Owner, options: ProxyOptions): Promise<ProxyProcess> {
  const backend = await startBackend(owner, echo);
  return startProxy(owner, { backends: [{ port: backend.port }], ...options });
}

/** A connection from that address that has got its echo, or null where the proxy has reset it. */
async function come(owner: Owner, proxy: ProxyProcess, localAddress: string): Promise<Peer | null> {
  try {
    const peer = await connectPeer(owner, proxy, { localAddress });
    await peer.write('hello');
    assert.equal(String(await peer.read(5)), 'hello');
    return peer;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error;
    return null;
  }
}

function isPeer(peer: Peer | null): peer is Peer {
  return peer !== null;
}

async function comeAll(owner: Owner, proxy: ProxyProcess, from: string, count: number): Promise<Peer[]> {
  return (await Promise.all(Array.from({ length: count }, () => come(owner, proxy, from)))).filter(isPeer);
}

for (const accept of MODES) {
  describe(`the rate limit, ${accept}`, TIME_LIMIT, () => {
    it('gives an address its burst once, from all workers together, and the next address its own', async (t) => {
      const env = { ...ONE_A_DAY, EDGEPROXY_RATE_LIMIT_BURST: '7' };
      const proxy = await startEcho(t, { accept, workers: 4, env });
      assert.equal((await comeAll(t, proxy, FLOODER, 60)).length, 7);
      assert.equal((await comeAll(t, proxy, OTHER, 7)).length, 7);
      assert.equal(await come(t, proxy, OTHER), null);
      assert.equal(proxy.counters.rejected('rate_limited'), 54);
      assert.equal(proxy.counters.total('ACCEPTED'), 68);
    });

    it('keeps a flood away from the others, and from the workers in hand-off, until a reload lets it in', async (t) => {
      const backend = await startBackend(t, echo);
      const base = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } };
      const limited = { ...base, rate_limit: { enabled: true, max_requests: 1, window_secs: 86_400, burst: 5 } };
      const options = { accept, workers: 2, backends: [{ port: backend.port }] };
      const { proxy, file } = await startConfigured(t, limited, options);
      const { counters } = proxy;
      assert.equal((await comeAll(t, proxy, FLOODER, 5)).length, 5);
      const relayed = counters.backendTotal(counters.slotOf(backend.port), 'CONNECTIONS');
      const [flood, others] = await Promise.all([
        comeAll(t, proxy, FLOODER, 100),
        Promise.all(Array.from({ length: 20 }, (_, i) => come(t, proxy, `127.0.3.${i + 1}`))),
      ]);
      assert.deepEqual([flood.length, others.filter(isPeer).length], [0, 20]);
      assert.equal(counters.rejected('rate_limited'), 100);
      assert.equal(counters.total('ACCEPTED'), 125);
      assert.equal(counters.refusedByAcceptor, accept === 'handoff' ? 100 : 0);
      assert.equal(counters.backendTotal(counters.slotOf(backend.port), 'CONNECTIONS') - relayed, 20);

      file.write(base);
      await reload(proxy, /^configuration reloaded/);
      await eventually('there is no limit any more', async () => (await come(t, proxy, FLOODER)) !== null);

      file.write(limited);
      await reload(proxy, /^configuration reloaded/);
      const before = counters.rejected('rate_limited');
      await eventually('there is a limit again', async () => (await come(t, proxy, FLOODER)) === null);
      assert.equal(counters.rejected('rate_limited'), before + 1);

      await proxy.stop();
      const told = proxy.log.lines.filter(({ msg }) => msg === 'clients were turned away');
      const limitedBy = told.map(({ clients }) => (clients as { rate_limited?: number }).rate_limited ?? 0);
      assert.equal(
        limitedBy.reduce((sum, each) => sum + each),
        counters.rejected('rate_limited'),
      );
    });
  });

  describe(`connections per address, ${accept}`, TIME_LIMIT, () => {
    it('are limited, and a place is free again as soon as a connection has ended', async (t) => {
      const proxy = await startEcho(t, { accept, env: { EDGEPROXY_MAX_CONNECTIONS_PER_IP: '3' } });
      for (let turn = 0; turn < 5; turn++) {
        const peers: Peer[] = [];
        for (let i = 0; i < 3; i++) {
          const peer = await come(t, proxy, FLOODER);
          assert.ok(peer, `connection ${i} of turn ${turn}`);
          peers.push(peer);
        }
        assert.equal(await come(t, proxy, FLOODER), null);
        assert.ok(await come(t, proxy, `127.0.1.${turn + 1}`));
        for (const peer of peers) peer.close();
        await eventually('their connections have ended', () => proxy.counters.gauges('ACTIVE') === turn + 1);
      }
      assert.equal(proxy.counters.rejected('too_many_per_ip'), 5);
    });

    it('are given back by clients that get no backend', async (t) => {
      const env = { EDGEPROXY_MAX_CONNECTIONS_PER_IP: '2' };
      const dead = await startBackend(t);
      await dead.stopListening();
      const proxy = await startProxy(t, { accept, env, backends: [{ port: dead.port }] });
      for (let i = 0; i < 10; i++) assert.equal(await come(t, proxy, FLOODER), null);
      assert.equal(proxy.counters.rejected('connect_failed'), 10);
      assert.equal(proxy.counters.clientConnections(FLOODER), 0);
    });

    it('that a killed worker held are given back', async (t) => {
      const proxy = await startEcho(t, { accept, workers: 2, env: { EDGEPROXY_MAX_CONNECTIONS_PER_IP: '20' } });
      const peers: Peer[] = [];
      for (let i = 0; i < 20; i++) peers.push((await come(t, proxy, FLOODER)) ?? assert.fail(`connection ${i}`));
      assert.equal(await come(t, proxy, FLOODER), null);
      // Whoever was turned away knows it a moment before his place is given back.
      await eventually('only the others are counted', () => proxy.counters.gauges('ACTIVE') === 20);
      const held = proxy.counters.gauge(0, 'ACTIVE');
      assert.ok(held > 0);
      process.kill(proxy.workerPids[0] ?? 0, 'SIGKILL');
      await eventually('its connections are given back', () => proxy.counters.clientConnections(FLOODER) === 20 - held);
      for (let i = 0; i < held; i++) assert.ok(await come(t, proxy, FLOODER), `connection ${i} of ${held} given back`);
      assert.equal(await come(t, proxy, FLOODER), null);
    });
  });
}

describe('the lists', TIME_LIMIT, () => {
  const names = async (owner: Owner, proxy: ProxyProcess, addresses: readonly string[]): Promise<boolean[]> => {
    const peers = await Promise.all(addresses.map((address) => come(owner, proxy, address)));
    return peers.map(isPeer);
  };

  for (const accept of MODES) {
    it(`refuse denied networks but let a smaller allowed one in, ${accept}`, async (t) => {
      const env = { EDGEPROXY_DENY_CIDRS: '127.0.2.0/24', EDGEPROXY_ALLOW_CIDRS: '127.0.2.128/25,127.0.0.0/16' };
      const proxy = await startEcho(t, { accept, env });
      const addresses = ['127.0.0.1', '127.0.2.1', '127.0.2.129', '127.1.0.1'];
      assert.deepEqual(await names(t, proxy, addresses), [true, false, true, false]);
      assert.equal(proxy.counters.rejected('address_denied'), 2);
    });
  }

  it('refuse by country, but not who is in an allowed network', async (t) => {
    const env = { EDGEPROXY_ALLOW_COUNTRIES: 'BR', EDGEPROXY_ALLOW_CIDRS: '127.0.0.3' };
    const proxy = await startEcho(t, { env });
    // Loopback addresses are of no country.
    assert.deepEqual(await names(t, proxy, [FLOODER, OTHER]), [false, true]);
    assert.equal(proxy.counters.rejected('country_denied'), 1);
  });

  for (const accept of MODES) {
    it(`change at a reload, for the next client and nobody before, ${accept}`, async (t) => {
      const backend = await startBackend(t, echo);
      const base = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } };
      const { proxy, file } = await startConfigured(t, base, { accept, backends: [{ port: backend.port }] });
      const early = (await come(t, proxy, FLOODER)) ?? assert.fail('there is no list yet');
      const isLetIn = async (address: string): Promise<boolean> => (await come(t, proxy, address)) !== null;

      file.write({ ...base, access: { deny_cidrs: ['127.0.0.2/31'] } });
      await reload(proxy, /^configuration reloaded/);
      await eventually('the list is in force', async () => !(await isLetIn(FLOODER)));
      assert.deepEqual([await isLetIn(OTHER), await isLetIn('127.0.0.4')], [false, true]);
      await early.write('still here');
      assert.equal(String(await early.read(10)), 'still here');

      file.write({ ...base, access: { deny_cidrs: ['127.0.0.2/31', '10.0.0.1/8'] } });
      await reload(proxy, /^the configuration is wrong/);
      assert.equal(await isLetIn(OTHER), false);

      file.write(base);
      await reload(proxy, /^configuration reloaded/);
      await eventually('there is no list any more', () => isLetIn(OTHER));
    });
  }
});

describe('limits', TIME_LIMIT, () => {
  it('change at a reload', async (t) => {
    const backend = await startBackend(t, echo);
    const base = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } };
    const { proxy, file } = await startConfigured(t, base, { backends: [{ port: backend.port }] });
    assert.ok(await come(t, proxy, FLOODER));
    const limits = { max_connections_per_ip: 1 };
    file.write({ ...base, limits, rate_limit: { enabled: true, max_requests: 1, window_secs: 86_400, burst: 4 } });
    await reload(proxy, /^configuration reloaded/);
    // Each worker takes them in its own time; a first connection that still found them off has no place of its own.
    await eventually('the limits are in force', async () => {
      const peer = await come(t, proxy, OTHER);
      return peer !== null && proxy.counters.clientConnections(OTHER) === 1;
    });
    assert.equal(await come(t, proxy, OTHER), null);
    const reasons = proxy.counters.rejected('rate_limited') + proxy.counters.rejected('too_many_per_ip');
    assert.ok(reasons >= 1);
  });
});
