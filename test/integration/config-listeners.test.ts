/** Listeners come and go by a reload, in both accept modes, while clients come and go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { startConfigured, type ConfiguredProxy, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { childPids } from '../support/process-facts.js';
import type { ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { ShortClients } from '../support/short-clients.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded$/;
const REFUSED = /^the configuration is wrong; the old one stays in force$/;
const CLOSED = /^listener closed$/;
/** Enough of them to meet every step of a listener's end. */
const CLIENTS = 200;

interface Address {
  readonly address: string;
  readonly port: number;
}

const HOST = '127.0.0.1';

function tables(addresses: readonly Address[], others: Tables = {}): Tables {
  const tcp_bind = addresses.map(({ address, port }) => `${address}:${port}`);
  return { server: { tcp_bind }, logging: { level: 'debug' }, ...others };
}

async function freeAddresses(t: TestContext): Promise<[Address, Address]> {
  return [
    { address: HOST, port: await freePort(t) },
    { address: HOST, port: await freePort(t) },
  ];
}

async function start(t: TestContext, addresses: readonly Address[], options: ProxyOptions): Promise<ConfiguredProxy> {
  const { port } = await startBackend(t, echo);
  return startConfigured(t, tables(addresses), { backends: [{ port }], ...options });
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

function hasClosed(proxy: ProxyProcess): Promise<unknown> {
  return proxy.log.next(({ msg }) => CLOSED.test(String(msg)));
}

function served(clients: ShortClients): Promise<unknown> {
  const least = clients.served + CLIENTS;
  return eventually('clients are served', () => clients.served >= least, { state: () => clients.served });
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`listeners, ${accept}`, TIME_LIMIT, () => {
    it('are added under load, while the others go on', async (t) => {
      const [one, two] = await freeAddresses(t);
      const { proxy, file } = await start(t, [one], { accept });
      const before = childPids(proxy.pid);
      const peer = await connectPeer(t, proxy);
      const clients = new ShortClients(t, one);
      await served(clients);
      file.write(tables([two, one]));
      await reload(proxy, RELOADED);
      const more = new ShortClients(t, two);
      await Promise.all([served(clients), served(more)]);
      await Promise.all([clients.stop(), more.stop()]);
      for (const { brokenPorts, refusals } of [clients, more]) assert.deepEqual([brokenPorts, refusals], [[], []]);
      await assertEchoes(peer, 'still here');
      assert.deepEqual(childPids(proxy.pid), before);
    });

    it('are removed under load without a reset, and what came by them stays', async (t) => {
      const [one, two] = await freeAddresses(t);
      const { proxy, file } = await start(t, [one, two], { accept });
      const before = childPids(proxy.pid);
      const peer = await connectPeer(t, two);
      const [staying, leaving] = [new ShortClients(t, one), new ShortClients(t, two)];
      await Promise.all([served(staying), served(leaving)]);
      const closed = hasClosed(proxy);
      file.write(tables([one]));
      await reload(proxy, RELOADED);
      await closed;
      await served(staying);
      await Promise.all([staying.stop(), leaving.stop()]);
      assert.deepEqual([staying.brokenPorts, staying.refusals], [[], []]);
      assert.deepEqual(leaving.brokenPorts, []);
      assert.deepEqual([...new Set(leaving.refusals)], ['ECONNREFUSED']);
      await assertEchoes(peer, 'still here');
      assert.deepEqual(childPids(proxy.pid), before);
    });

    it('are served by workers that start later, but for those that are gone', async (t) => {
      const [one, two] = await freeAddresses(t);
      const { proxy, file } = await start(t, [one], { accept, workers: 1 });
      const closed = hasClosed(proxy);
      file.write(tables([two]));
      await reload(proxy, RELOADED);
      await closed;
      const back = proxy.log.next(({ msg }) => msg === 'worker takes clients');
      process.kill(proxy.workerPids[0] ?? 0, 'SIGKILL');
      // Nobody serves it now, but its socket is open: who comes waits.
      const waiting = await connectPeer(t, two);
      await back;
      await assertEchoes(waiting, 'at last');
      assert.equal(await endingOfClient(t, one), 'ECONNREFUSED');
    });

    it('come back at once where a reload takes one away by mistake', async (t) => {
      const [one, two] = await freeAddresses(t);
      const { proxy, file } = await start(t, [one, two], { accept });
      file.write(tables([one]));
      await reload(proxy, RELOADED);
      file.write(tables([one, two]));
      await reload(proxy, RELOADED);
      await assertEchoes(await connectPeer(t, two), 'back again');
    });

    it('that cannot be had keep the whole reload from happening', async (t) => {
      const taken = createServer().listen(0, HOST);
      await once(taken, 'listening');
      t.after(() => taken.close());
      const [one, two] = await freeAddresses(t);
      const { proxy, file } = await start(t, [one], { accept });
      const { port } = taken.address() as AddressInfo;
      file.write(tables([two, { address: HOST, port }], { timeouts: { idle_secs: 0.2 } }));
      await reload(proxy, REFUSED);
      assert.ok(proxy.log.lines.some(({ code, level }) => code === 'EP_LISTEN' && level === 'error'));
      const error = proxy.log.lines.find(({ level }) => level === 'error')?.['msg'];
      assert.match(String(error), new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: bind failed with EADDRINUSE`));
      assert.equal(await endingOfClient(t, two), 'ECONNREFUSED');
      const peer = await connectPeer(t, one);
      await assertEchoes(peer, 'as before');
      file.write(tables([one], { connect: { retries: 1 } }));
      const line = await reload(proxy, RELOADED);
      assert.deepEqual(Object.keys(line['changes'] as object), ['connect.retries']);
    });

    it('that are being emptied do not hold up a shutdown', async (t) => {
      const [one, two] = await freeAddresses(t);
      const { proxy, file } = await start(t, [one, two], { accept });
      file.write(tables([one]));
      await reload(proxy, RELOADED);
      assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
      const errors = proxy.log.lines.filter(({ level }) => level === 'error');
      assert.deepEqual(errors, []);
    });
  });
}
