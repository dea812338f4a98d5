/** Datagrams through a real proxy: whole, in order, to one backend and back, and nobody else's. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atRest } from '../support/at-rest.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { randomBuffer } from '../support/random-bytes.js';
import { echoed, udpPeer, type UdpPeer } from '../support/udp-peer.js';
import { startUdpProxy } from '../support/udp-proxy.js';

const TIME_LIMIT = { timeout: 300_000 };
/** 0, one byte, what a network carries in one piece and what it does not, and the most that there can be. */
const SIZES = [0, 1, 64, 1200, 1472, 1473, 9000, 65_507];

function textsOf(peer: UdpPeer): string[] {
  return peer.datagrams.map(({ bytes }) => String(bytes));
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`datagrams, ${accept}`, TIME_LIMIT, () => {
    it('of every size go both ways as they are', async (t) => {
      const backend = await udpPeer(t, { answer: echoed });
      const { proxy, udp } = await startUdpProxy(t, { accept, backends: [{ port: backend.port }] });
      const client = await udpPeer(t);
      for (const size of SIZES) {
        const sent = randomBuffer('datagram', size);
        client.send(sent, udp);
        const { bytes, from } = await client.next();
        assert.ok(bytes.equals(sent), `${size} bytes`);
        assert.deepEqual([from.address, from.port], [udp.address, udp.port]);
      }
      const { counters } = proxy;
      await eventually('there is one session', () => counters.gauges('UDP_SESSIONS') === 1);
      // Counted after they are sent: the client may be faster than the worker's next line.
      await eventually('all are counted', () => counters.total('DATAGRAMS_TO_CLIENTS') === SIZES.length);
      assert.equal(counters.total('DATAGRAMS_FROM_CLIENTS'), SIZES.length);
      assert.equal(counters.total('DATAGRAMS_DROPPED'), 0);
      const bytes = SIZES.reduce((sum, size) => sum + size);
      assert.equal(counters.total('BYTES_FROM_CLIENTS'), bytes);
      assert.equal(counters.total('BYTES_TO_CLIENTS'), bytes);
      assert.equal(counters.backendTotal(counters.slotOf(backend.port), 'CONNECTIONS'), 1);
    });

    it('of many clients keep their order, and each client has one port towards its backend', async (t) => {
      const backend = await udpPeer(t, { answer: echoed });
      const { udp } = await startUdpProxy(t, { accept, backends: [{ port: backend.port }] });
      const clients = await Promise.all(Array.from({ length: 20 }, () => udpPeer(t)));
      for (let round = 0; round < 10; round++) {
        // Of different sizes, so that some go together through the kernel and some do not.
        for (const client of clients) {
          for (let i = 0; i < 5; i++)
            client.send(`${client.port}:${round}:${i}${'.'.repeat((round * 7 + i * i) % 23)}`, udp);
        }
        await Promise.all(clients.flatMap((client) => Array.from({ length: 5 }, () => client.next())));
      }
      for (const client of clients) {
        const order = textsOf(client).map((text) => text.replace(/\.*$/, ''));
        const expected = Array.from({ length: 50 }, (_, n) => `${client.port}:${Math.floor(n / 5)}:${n % 5}`);
        assert.deepEqual(order, expected);
        const ports = backend.datagrams.filter(({ bytes }) => String(bytes).startsWith(`${client.port}:`));
        assert.equal(new Set(ports.map(({ from }) => from.port)).size, 1);
      }
      assert.equal(new Set(backend.datagrams.map(({ from }) => from.port)).size, clients.length);
    });
  });
}

describe('a UDP session', TIME_LIMIT, () => {
  it('hears its backend and nobody else', async (t) => {
    const backend = await udpPeer(t);
    const { udp } = await startUdpProxy(t, { backends: [{ port: backend.port }] });
    const client = await udpPeer(t);
    client.send('question', udp);
    const { from: session } = await backend.next();
    const forger = await udpPeer(t);
    forger.send('forged', session);
    const neighbour = await udpPeer(t, { address: '127.0.0.2', port: backend.port });
    neighbour.send('forged as well', session);
    backend.send('answer', session);
    assert.equal(String((await client.next()).bytes), 'answer');
    assert.deepEqual(textsOf(client), ['answer']);
  });

  for (const listen of ['0.0.0.0:0', '[::]:0']) {
    it(`at ${listen} answers from the address that its client has sent to`, async (t) => {
      const backend = await udpPeer(t, { answer: echoed });
      const { udp } = await startUdpProxy(t, { backends: [{ port: backend.port }] }, listen);
      const client = await udpPeer(t);
      for (const address of ['127.0.0.1', '127.0.7.9']) {
        client.send(address, { address, port: udp.port });
        const { bytes, from } = await client.next();
        assert.deepEqual([String(bytes), from.address], [address, address]);
      }
      assert.equal(new Set(backend.datagrams.map(({ from }) => from.port)).size, 2);
      if (!listen.startsWith('[')) return;
      const client6 = await udpPeer(t, { address: '::1' });
      assert.equal(await client6.ask('six', { address: '::1', port: udp.port }), 'six');
      assert.equal(client6.datagrams[0]?.from.address, '::1');
    });
  }

  it('ends when nothing has come for EDGEPROXY_UDP_IDLE_TIMEOUT_SECS, and gives everything back', async (t) => {
    const backend = await udpPeer(t, { answer: echoed });
    const env = { EDGEPROXY_UDP_IDLE_TIMEOUT_SECS: '0.3', EDGEPROXY_IDLE_TIMEOUT_SECS: '3600' };
    const { proxy, udp } = await startUdpProxy(t, { env, backends: [{ port: backend.port }] });
    const client = await udpPeer(t);
    assert.equal(await client.ask('one', udp), 'one');
    await eventually('the session has ended', () => proxy.counters.ended('idle_timeout') === 1);
    await atRest(proxy, 1);
    await eventually('the gauge tells', () => proxy.counters.gauges('UDP_SESSIONS') === 0);
    assert.equal(await client.ask('two', udp), 'two');
    assert.equal(proxy.counters.total('ACCEPTED'), 2);
  });

  it('is one of at most 1,024 of a client address in a worker', async (t) => {
    const backend = await udpPeer(t);
    const { proxy, udp } = await startUdpProxy(t, { workers: 1, backends: [{ port: backend.port }] });
    const other = await udpPeer(t, { address: '127.0.0.2' });
    for (let n = 0; n < 1030; n++) {
      const client = await udpPeer(t);
      client.send('x', udp);
      if (n % 50 === 0) await eventually('the proxy keeps up', () => proxy.counters.total('ACCEPTED') === n + 1);
    }
    // Dropped last.
    const dropped = (): number => proxy.counters.total('DATAGRAMS_DROPPED');
    await eventually('all were seen', () => dropped() === 6, { state: dropped });
    assert.equal(proxy.counters.total('ACCEPTED'), 1030);
    assert.equal(proxy.counters.rejected('too_many_sessions'), 6);
    assert.equal(proxy.counters.gauges('ACTIVE'), 1024);
    other.send('y', udp);
    await eventually('another address has room', () => proxy.counters.gauges('ACTIVE') === 1025);
  });

  it('ends with an ICMP error, which counts against the backend; the next datagram goes elsewhere', async (t) => {
    const gone = await udpPeer(t, { port: await freePort(t) });
    const env = { EDGEPROXY_CIRCUIT_BREAKER_ENABLED: 'on', EDGEPROXY_CIRCUIT_FAILURE_THRESHOLD: '3' };
    const other = await udpPeer(t, { answer: () => 'other' });
    const backends = [
      { id: 'gone', region: 'sa', port: gone.port },
      { id: 'other', region: 'us', port: other.port },
    ];
    const { proxy, udp } = await startUdpProxy(t, { env, backends, workers: 1 });
    const client = await udpPeer(t);
    client.send('first', udp);
    // It was bound to this one: affinity would lead back to it.
    await gone.next();
    await gone.close();
    client.send('lost', udp);
    const { counters } = proxy;
    const goneSlot = counters.slotOf(gone.port);
    await eventually('the session has ended', () => counters.ended('icmp_error') === 1);
    await eventually('its backend is to blame', () => counters.backendErrors(goneSlot, 'refused') === 1);
    assert.equal(await client.ask('again', udp), 'other');
    assert.equal(counters.active(goneSlot), 0);
    assert.equal(counters.total('ACCEPTED'), 2);
    // And stays there.
    assert.equal(await client.ask('again', udp), 'other');
  });

  it('ends with an ICMP error and begins anew at the same backend where there is no other', async (t) => {
    // Of those that nobody else is given while it is not bound.
    const port = await freePort(t);
    const first = await udpPeer(t, { port });
    const { proxy, udp } = await startUdpProxy(t, { backends: [{ port }] });
    const client = await udpPeer(t);
    client.send('first', udp);
    await first.next();
    await first.close();
    client.send('lost', udp);
    await eventually('the session has ended', () => proxy.counters.ended('icmp_error') === 1);
    await udpPeer(t, { port, answer: echoed });
    assert.equal(await client.ask('back', udp), 'back');
  });

  it('is refused by the rules that hold for connections', async (t) => {
    const backend = await udpPeer(t, { answer: echoed });
    const env = { EDGEPROXY_DENY_CIDRS: '127.0.0.2', EDGEPROXY_MAX_CONNECTIONS_PER_IP: '2' };
    const { proxy, udp } = await startUdpProxy(t, { env, workers: 1, backends: [{ port: backend.port }] });
    const denied = await udpPeer(t, { address: '127.0.0.2' });
    denied.send('x', udp);
    await eventually('the list is asked', () => proxy.counters.rejected('address_denied') === 1);
    const clients = await Promise.all([udpPeer(t), udpPeer(t), udpPeer(t)]);
    for (const client of clients.slice(0, 2)) assert.equal(await client.ask('x', udp), 'x');
    clients[2].send('x', udp);
    await eventually('there are two of that address', () => proxy.counters.rejected('too_many_per_ip') === 1);
    assert.equal(proxy.counters.clientConnections('127.0.0.1'), 2);
    assert.equal(backend.datagrams.length, 2);
  });
});
