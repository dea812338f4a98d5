/** Listening sockets that a service manager has opened (LISTEN_FDS). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { ConnectionLoad } from '../support/connection-load.js';
import { upgrade } from '../support/generations.js';
import { connectPeer } from '../support/peer.js';
import { spawnProxy, startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { withSockets, type LaunchOptions, type SocketPlan } from '../support/socket-launcher.js';
import { startBackend } from '../support/tcp-backend.js';
import { echoed, udpPeer } from '../support/udp-peer.js';

const TIME_LIMIT = { timeout: 120_000 };

async function assertServes(owner: { after: (action: () => void) => void }, proxy: ProxyProcess): Promise<void> {
  for (let i = 0; i < 8; i++) {
    const peer = await connectPeer(owner, proxy);
    await peer.write('served');
    assert.equal(String(await peer.read(6)), 'served');
    await peer.end();
  }
}

describe('sockets that were handed over', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`are listened on instead of others, by workers with one each or without, ${accept}`, async (t) => {
      const backend = await startBackend(t, echo);
      const plans: SocketPlan[] = [{ kind: 'tcp' }];
      const prefix = withSockets(plans, { isConfigured: true });
      const proxy = await startProxy(t, { accept, workers: 3, prefix, backends: [{ port: backend.port }] });
      await assertServes(t, proxy);
      const environment = readFileSync(`/proc/${proxy.workerPids[0]}/environ`, 'utf8');
      assert.doesNotMatch(environment, /LISTEN_(FDS|PID|FDNAMES)/);
      assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    });
  }

  it('may be several of one address, and of UDP', async (t) => {
    const udp = await udpPeer(t, { answer: echoed });
    const plans: SocketPlan[] = [{ kind: 'tcp' }, { kind: 'tcp', isBeside: true }, { kind: 'udp' }];
    const prefix = withSockets(plans, { isConfigured: true });
    const proxy = await startProxy(t, { accept: 'reuseport', prefix, backends: [{ port: udp.port }] });
    const client = await udpPeer(t);
    const [, listener] = proxy.listen;
    assert.ok(listener?.protocol === 'udp');
    client.send('there and back', listener);
    assert.equal(String((await client.next()).bytes), 'there and back');
  });

  it('are known by their names where their addresses are others, and the log has those', async (t) => {
    const backend = await startBackend(t, echo);
    const file = await ConfigFile.make(t, {});
    file.writeText('[[listeners]]\nname = "web"\nbind = "127.0.0.1:1"\n');
    const proxy = await startProxy(t, {
      prefix: withSockets([{ kind: 'tcp', name: 'web', address: '127.0.0.2' }]),
      args: ['--config', file.path],
      env: { EDGEPROXY_LISTEN_ADDR: '' },
      backends: [{ port: backend.port }],
    });
    assert.equal(proxy.listener('web').address, '127.0.0.2');
    await assertServes(t, proxy);
    await upgrade(proxy);
    await assertServes(t, proxy);
  });

  it('go over to a new version, without a client lost', async (t) => {
    const backend = await startBackend(t, echo);
    const prefix = withSockets([{ kind: 'tcp' }], { isConfigured: true });
    const proxy = await startProxy(t, { accept: 'reuseport', prefix, backends: [{ port: backend.port }] });
    const load = new ConnectionLoad(t, proxy.port, { pauseMs: 2 });
    await load.answered(100);
    for (let i = 0; i < 2; i++) {
      await upgrade(proxy);
      await load.answered(load.report.answered + 200);
    }
    assert.deepEqual((await load.stop()).failed, {});
  });

  it('for another process are left alone', async (t) => {
    const prefix = withSockets([{ kind: 'tcp' }], { isForAnother: true });
    const proxy = await startProxy(t, { workers: 1, prefix });
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });

  const wrong: readonly [name: string, plans: readonly SocketPlan[], options: LaunchOptions, message: RegExp][] = [
    [
      'of no listener',
      [{ kind: 'tcp' }],
      {},
      /tcp 127\.0\.0\.1:\d+ \(edgeproxy\.socket\) is no listener .* tcp 127\.0\.0\.1:0/,
    ],
    [
      'that do not listen',
      [{ kind: 'not-listening', name: 'x' }],
      {},
      /descriptor 3 \(x\) is a TCP socket that does not listen/,
    ],
    ['with a path', [{ kind: 'unix', name: 'x' }], {}, /descriptor 3 \(x\) is a Unix socket; expected a listening TCP/],
    ['that are none', [{ kind: 'pipe', name: 'x' }], {}, /descriptor 3 \(x\) is no socket \(ENOTSOCK\)/],
    ['that are fewer than said', [{ kind: 'tcp' }], { isConfigured: true, count: '60' }, /is no socket/],
  ];
  for (const [name, plans, options, message] of wrong) {
    it(`${name} end the start, and the error says which`, async (t) => {
      const proxy = await spawnProxy(t, { workers: 1, prefix: withSockets(plans, options) });
      assert.deepEqual(await proxy.exit, { code: 2, signal: null });
      const line = proxy.log.lines.find(({ code }) => code === 'EP_SOCKET_ACTIVATION');
      assert.match(String(line?.['msg']), message);
    });
  }
});
