/** Both families on one socket: an IPv4 client is the same client, by its whole address, whichever way it comes in. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nameAndEnd } from '../support/backend-behaviours.js';
import { connectPeer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { startBackend } from '../support/tcp-backend.js';

const CLIENTS = 40;

for (const accept of ['handoff', 'reuseport'] as const) {
  it(`(${accept}) binds each IPv4 client of a [::] listener on its own, not their common ::ffff:0:0/64`, async (t) => {
    const names = ['left', 'right'];
    const backends = await Promise.all(names.map((name) => startBackend(t, nameAndEnd(name))));
    const proxy = await startProxy(t, {
      listen: '[::]:0',
      accept,
      backends: backends.map(({ port }) => ({ port })),
    });
    const askAll = async (): Promise<string[]> => {
      const answers: string[] = [];
      for (let i = 0; i < CLIENTS; i++) {
        const to = { address: '127.0.0.1', port: proxy.port };
        const client = await connectPeer(t, to, { localAddress: `127.0.2.${i + 1}` });
        answers.push((await client.readToEnd()).toString());
        client.close();
      }
      return answers;
    };
    const first = await askAll();
    assert.deepEqual([...new Set(first)].sort(), names, 'each address has a choice of its own');
    assert.deepEqual(await askAll(), first, 'and keeps it');
  });
}

it('relays an IPv6 client to an IPv4 backend and an IPv4 client to an IPv6 one', async (t) => {
  for (const [host, address] of [
    ['127.0.0.1', '::1'],
    ['::1', '127.0.0.1'],
  ] as const) {
    const backend = await startBackend(t, nameAndEnd(host), { host });
    const proxy = await startProxy(t, { listen: '[::]:0', backends: [{ address: host, port: backend.port }] });
    const client = await connectPeer(t, { address, port: proxy.port });
    assert.equal((await client.readToEnd()).toString(), host);
  }
});

it('serves several listeners at once, each with bindings of its own', async (t) => {
  const backend = await startBackend(t, nameAndEnd('here'));
  const proxy = await startProxy(t, { listen: '127.0.0.1:0,[::1]:0', backends: [{ port: backend.port }] });
  assert.equal(proxy.listen.length, 2);
  for (const listener of proxy.listen) {
    const client = await connectPeer(t, listener);
    assert.equal((await client.readToEnd()).toString(), 'here');
  }
});
