/** Health checks and drains go by the configuration that is in force. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { banner, echo } from '../support/backend-behaviours.js';
import { startConfigured, type ConfiguredProxy, type Tables } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { connectPeer, endingOfClient } from '../support/peer.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import { edit, reload } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded/;
const BASE = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } } satisfies Tables;
const ON = { ...BASE, health_check: { enabled: true, interval: 0.1 } };

async function nameFor(owner: Owner, proxy: ProxyProcess): Promise<string> {
  const peer = await connectPeer(owner, proxy);
  return String(await peer.read(4));
}

function change(proxy: ProxyProcess, to: 'up' | 'down'): Promise<unknown> {
  return proxy.log.next(({ msg, backend }) => msg === `backend is ${to}` && backend === 'b0');
}

async function startWithDead(owner: Owner, tables: Tables): Promise<ConfiguredProxy> {
  const [dead, good] = [await startBackend(owner), await startBackend(owner, banner('good'))];
  await dead.stopListening();
  const backends = [{ port: dead.port }, { port: good.port }];
  const env = { EDGEPROXY_CONNECT_RETRIES: '0', EDGEPROXY_BINDING_TTL_SECS: '0' };
  return startConfigured(owner, tables, { backends, env });
}

describe('a reload', TIME_LIMIT, () => {
  it('switches health checks on and off again', async (t) => {
    const { proxy, file } = await startWithDead(t, BASE);
    const down = change(proxy, 'down');
    file.write(ON);
    await reload(proxy, RELOADED);
    await down;
    for (let client = 0; client < 10; client++) assert.equal(await nameFor(t, proxy), 'good');
    file.write(BASE);
    await reload(proxy, RELOADED);
    // It counts as up, so it gets clients, and they are lost.
    await eventually('one of them is', async () => {
      const greetings = Array.from({ length: 20 }, () => nameFor(t, proxy).catch(() => 'lost'));
      return (await Promise.all(greetings)).includes('lost');
    });
  });

  it('takes other thresholds into account with the next check', async (t) => {
    const dead = await startBackend(t, banner('dead'));
    const patient = { ...ON, health_check: { ...ON.health_check, failure_threshold: 1000 } };
    const { proxy, file } = await startConfigured(t, patient, { backends: [{ port: dead.port }] });
    await dead.nextPeer();
    await dead.stopListening();
    const down = change(proxy, 'down');
    file.write({ ...ON, health_check: { ...ON.health_check, failure_threshold: 2 } });
    await reload(proxy, RELOADED);
    await down;
  });

  it('changes the time of a drain that is under way', async (t) => {
    const { port } = await startBackend(t, echo);
    const { proxy, file } = await startConfigured(t, BASE, { backends: [{ port }] });
    const peer = await connectPeer(t, proxy);
    await peer.write('ping');
    assert.equal(String(await peer.read(4)), 'ping');
    await edit(proxy, { b0: { draining: 1 } });
    assert.equal(await endingOfClient(t, proxy), 'ECONNRESET');
    file.write({ ...BASE, backends: { drain_timeout_secs: 0.1 } });
    await reload(proxy, RELOADED);
    assert.equal(await peer.ending(), 'ECONNRESET');
    assert.equal(proxy.counters.ended('backend_drained'), 1);
  });
});
