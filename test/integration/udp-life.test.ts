/** What becomes of UDP sessions when a worker dies, the configuration changes, the proxy drains or another version takes over. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { atRest } from '../support/at-rest.js';
import { startConfigured, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { upgrade } from '../support/generations.js';
import { freePort } from '../support/free-port.js';
import { edit, reload } from '../support/routing-edits.js';
import { SharedCounters } from '../support/shared-counters.js';
import { echoed, udpPeer, type UdpPeer } from '../support/udp-peer.js';
import { startUdpProxy } from '../support/udp-proxy.js';

const TIME_LIMIT = { timeout: 300_000 };

function portsSeen(backend: UdpPeer): number[] {
  return [...new Set(backend.datagrams.map(({ from }) => from.port))];
}

describe('UDP sessions', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`of a worker that is killed are given back, and its successor takes its clients: ${accept}`, async (t) => {
      const backend = await udpPeer(t, { answer: echoed });
      const { proxy, udp } = await startUdpProxy(t, { accept, workers: 1, backends: [{ port: backend.port }] });
      const client = await udpPeer(t);
      assert.equal(await client.ask('one', udp), 'one');
      const [worker] = proxy.workerPids;
      assert.ok(worker);
      const back = proxy.log.next(({ msg }) => msg === 'worker takes clients');
      process.kill(worker, 'SIGKILL');
      await proxy.waitForLog(({ msg }) => String(msg).startsWith('worker died'));
      // It waits in the queue of the socket, which the primary holds open.
      client.send('two', udp);
      await back;
      assert.equal(String((await client.next()).bytes), 'two');
      const { counters } = proxy;
      const state = (): object => ({ ...counters.held(1), sessions: counters.gauges('UDP_SESSIONS') });
      const isAlone = (): boolean => Object.values(state()).every((count) => count === 1);
      await eventually('the dead one has nothing left', isAlone, { state });
    });
  }

  it('stay where they are when the configuration changes, and other listeners come and go', async (t) => {
    const backend = await udpPeer(t, { answer: echoed });
    const tables = (udpBind: readonly string[], idleSecs: number): Tables => ({
      server: { tcp_bind: '127.0.0.1:0', udp_bind: udpBind },
      timeouts: { udp_idle_secs: idleSecs },
      logging: { level: 'debug' },
    });
    const { proxy, file } = await startConfigured(t, tables(['127.0.0.1:0'], 60), {
      backends: [{ port: backend.port }],
    });
    const udp = proxy.listen[1];
    assert.ok(udp);
    const client = await udpPeer(t);
    assert.equal(await client.ask('one', udp), 'one');
    const [worker] = proxy.workerPids;
    const port = await freePort(t);
    const opened = proxy.log.next(({ msg }) => msg === 'listener opened');
    file.write(tables(['127.0.0.1:0', `127.0.0.1:${port}`], 50));
    await reload(proxy, /^configuration reloaded/);
    await opened;
    assert.equal(await client.ask('two', udp), 'two');
    assert.deepEqual([proxy.workerPids[0], portsSeen(backend).length], [worker, 1]);
    const added = { address: '127.0.0.1', port };
    const other = await udpPeer(t);
    assert.equal(await other.ask('three', added), 'three');
    const closed = proxy.log.next(({ msg }) => msg === 'listener closed');
    file.write(tables(['127.0.0.1:0'], 50));
    await reload(proxy, /^configuration reloaded/);
    await closed;
    await eventually('its sessions have ended', () => proxy.counters.ended('shutdown') === 1);
    assert.equal(await client.ask('four', udp), 'four');
    assert.equal(portsSeen(backend).length, 2);
    // The address is free again.
    const successor = await udpPeer(t, { port });
    assert.equal(successor.port, port);
  });

  for (const [listeners, share] of [
    ['a TCP listener too', 2],
    ['UDP listeners only', 4],
  ] as const) {
    it(`have ${share} of a worker's 4 places where there are ${listeners}`, async (t) => {
      const backend = await udpPeer(t);
      const tcp = share === 2 ? { tcp_bind: '127.0.0.1:0' } : {};
      const { proxy } = await startConfigured(
        t,
        { server: { ...tcp, udp_bind: ['127.0.0.1:0'] }, logging: { level: 'debug' } },
        { workers: 1, env: { EDGEPROXY_MAX_CONNECTIONS: '4' }, backends: [{ port: backend.port }] },
      );
      const udp = proxy.listen.at(-1);
      assert.ok(udp);
      const clients = await Promise.all(Array.from({ length: 6 }, () => udpPeer(t)));
      for (const client of clients) client.send('x', udp);
      const { counters } = proxy;
      // The gauge is written at the end of the turn that has counted what it dropped.
      const state = (): number[] => [counters.gauges('UDP_SESSIONS'), counters.total('DATAGRAMS_DROPPED')];
      const isSettled = (): boolean => isDeepStrictEqual(state(), [share, 6 - share]);
      await eventually(`${share} have a session, the others are refused`, isSettled, { state });
    });
  }

  it('go on in a drain, in which nobody new is heard; the proxy ends with the last of them', async (t) => {
    const backend = await udpPeer(t, { answer: echoed });
    const env = { EDGEPROXY_UDP_IDLE_TIMEOUT_SECS: '3', EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '60' };
    const { proxy, udp } = await startUdpProxy(t, { env, workers: 1, backends: [{ port: backend.port }] });
    const client = await udpPeer(t);
    assert.equal(await client.ask('one', udp), 'one');
    const { counters } = proxy;
    const draining = proxy.log.next(({ msg }) => String(msg).startsWith('draining'));
    proxy.signal('SIGTERM');
    await draining;
    // The order takes its time to the worker, and who comes before it is no stranger.
    await eventually('strangers are dropped', async () => {
      (await udpPeer(t)).send('x', udp);
      assert.equal(await client.ask('two', udp), 'two');
      return counters.total('DATAGRAMS_DROPPED') > 0;
    });
    assert.deepEqual(await proxy.exit, { code: 0, signal: null });
    assert.equal(counters.ended('shutdown'), 0);
    await atRest(proxy, 1);
  });

  it('are closed with their backend and go elsewhere', async (t) => {
    const [one, two] = await Promise.all([udpPeer(t, { answer: () => 'one' }), udpPeer(t, { answer: () => 'two' })]);
    const backends = [
      { id: 'one', region: 'sa', port: one.port },
      { id: 'two', region: 'us', port: two.port },
    ];
    const env = { EDGEPROXY_DRAIN_TIMEOUT_SECS: '0.1' };
    const { proxy, udp } = await startUdpProxy(t, { env, backends });
    const client = await udpPeer(t);
    assert.equal(await client.ask('x', udp), 'one');
    await edit(proxy, { one: { draining: 1 } });
    await eventually('its time is over', () => proxy.counters.ended('backend_drained') === 1);
    assert.equal(await client.ask('x', udp), 'two');
  });

  it('of an old version hear their replies to the end; the new one takes what clients send', async (t) => {
    const backend = await udpPeer(t);
    // Idle for as long as the new version takes to start.
    const env = { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '10' };
    const { proxy, udp } = await startUdpProxy(t, { env, backends: [{ port: backend.port }] });
    const client = await udpPeer(t);
    client.send('one', udp);
    const { from: old } = await backend.next();
    const oldCounters = proxy.counters;
    const newPid = await upgrade(proxy);
    const counters = new SharedCounters(newPid);
    // The old one may still read for a moment.
    await eventually('the new version has the client', () => {
      client.send('two', udp);
      return counters.gauges('UDP_SESSIONS') === 1;
    });
    backend.send('late', old);
    assert.equal(String((await client.next()).bytes), 'late');
    await eventually('the old version ends', () => oldCounters.gauges('ACTIVE') === 0);
  });
});
