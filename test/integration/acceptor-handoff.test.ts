/** The acceptor in a running proxy: real worker processes, real signals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { startBackend } from '../support/tcp-backend.js';

const { soft } = loadNativeAddon().raiseFileLimit();
/** Each costs this process two descriptors: the client and, in the backend, its other end. */
const CONNECTIONS = soft > 4500 ? 2000 : 400;

test('long-lived connections are balanced over 4 workers within 2 %', { timeout: 120_000 }, async (t) => {
  const backend = await startBackend(t, echo);
  const proxy = await startProxy(t, { workers: 4, backends: [{ port: backend.port }] });
  const clients: Peer[] = [];
  while (clients.length < CONNECTIONS) {
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => connectPeer(t, proxy)))));
  }
  await eventually('all are relayed', () => proxy.counters.gauges('RELAYS_OPEN') === CONNECTIONS);
  const share = CONNECTIONS / 4;
  for (let worker = 0; worker < 4; worker++) {
    assert.ok(Math.abs(proxy.counters.gauge(worker, 'ACTIVE') - share) <= share * 0.02);
  }
});

test('clients that a worker had not read when it was killed are served by another', { timeout: 60_000 }, async (t) => {
  const backend = await startBackend(t, echo);
  const proxy = await startProxy(t, { workers: 2, backends: [{ port: backend.port }] });
  const [victim = 0] = proxy.workerPids;
  // Stopped, it is still alive to the acceptor and gets its half of the clients.
  process.kill(victim, 'SIGSTOP');
  const clients = await Promise.all(Array.from({ length: 40 }, () => connectPeer(t, proxy)));
  await eventually('all are handed on', () => proxy.counters.gauges('ACTIVE') === clients.length);
  assert.equal(proxy.counters.gauge(0, 'ACTIVE'), clients.length / 2);

  process.kill(victim, 'SIGKILL');
  const served = clients.map(async (client, index) => {
    const line = `client ${index}`;
    await client.write(line);
    assert.equal((await client.read(line.length)).toString(), line);
  });
  await Promise.all(served);
  assert.equal(proxy.counters.gauges('ACTIVE'), clients.length);
  for (const client of clients) client.end();
  await eventually('every place is given back', () => {
    const { active, shares, connections } = proxy.counters.held(1);
    return active === 0 && shares === 0 && connections === 0;
  });
});
