/** A client that comes back gets the backend it had, whichever worker takes it, for as long as that backend takes clients. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { banner } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import type { Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyOptions, ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 3;
const CLIENT = '127.0.9.1';
const TTL_SECS = 2;

/** Of two, `near` is the better one: this POP's region is sa. */
const NEAR_AND_FAR = [
  { id: 'near', region: 'sa' },
  { id: 'far-', region: 'us' },
] as const;
/** All ids have four letters: what a client reads to learn where it is. */
const ID_CHARS = 4;

type Spec = { readonly id: string; readonly region?: string; readonly hardLimit?: number };

async function startNamed(owner: Owner, specs: readonly Spec[], options: ProxyOptions = {}): Promise<ProxyProcess> {
  const backends = await Promise.all(
    specs.map(async (spec) => ({ ...spec, port: (await startBackend(owner, banner(spec.id))).port })),
  );
  return startProxy(owner, { workers: WORKERS, ...options, backends });
}

/** An open connection and the backend that it got. */
async function visit(owner: Owner, proxy: ProxyProcess, from = CLIENT, to = proxy.listen[0]): Promise<[string, Peer]> {
  assert.ok(to);
  const peer = await connectPeer(owner, to, { localAddress: from });
  return [String(await peer.read(ID_CHARS)), peer];
}

async function nameFor(owner: Owner, proxy: ProxyProcess, from = CLIENT, to = proxy.listen[0]): Promise<string> {
  const [name, peer] = await visit(owner, proxy, from, to);
  peer.close();
  return name;
}

/** Binds the client to `far-`, then makes `near` available again. */
async function bindToFar(owner: Owner, proxy: ProxyProcess): Promise<void> {
  await edit(proxy, { near: { healthy: 0 } });
  assert.equal(await nameFor(owner, proxy), 'far-');
  await edit(proxy, { near: { healthy: 1 } });
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`affinity, ${accept}`, TIME_LIMIT, () => {
    it('brings each client back to its backend, on every worker', async (t) => {
      const proxy = await startNamed(t, [{ id: 'one-' }, { id: 'two-' }, { id: 'tri-' }], { accept });
      const homes = new Set<string>();
      for (let client = 2; client <= 25; client++) {
        const home = await nameFor(t, proxy, `127.0.8.${client}`);
        for (let times = 0; times < WORKERS; times++) {
          assert.equal(await nameFor(t, proxy, `127.0.8.${client}`), home);
        }
        homes.add(home);
      }
      assert.equal(homes.size, 3, 'clients do not share the load among equal backends');
    });

    it('brings one client with many connections to one backend from all workers', async (t) => {
      const proxy = await startNamed(t, [{ id: 'one-' }, { id: 'two-' }, { id: 'tri-' }], { accept });
      const names = new Set<string>();
      for (let times = 0; times < 12 * WORKERS; times++) names.add((await visit(t, proxy))[0]);
      assert.equal(names.size, 1);
      for (let worker = 0; worker < WORKERS; worker++) assert.ok(proxy.counters.gauge(worker, 'ACTIVE') > 0);
    });

    it('holds although a better backend has come up', async (t) => {
      const proxy = await startNamed(t, NEAR_AND_FAR, { accept });
      await bindToFar(t, proxy);
      for (let times = 0; times < 3 * WORKERS; times++) assert.equal(await nameFor(t, proxy), 'far-');
      assert.equal(await nameFor(t, proxy, '127.0.9.2'), 'near', 'another client is free to choose');
    });
  });
}

describe('a binding', TIME_LIMIT, () => {
  const reasons = { drained: { draining: 1 }, unhealthy: { healthy: 0 }, removed: { deleted: 1 } };
  for (const [reason, change] of Object.entries(reasons)) {
    it(`to a backend that is ${reason} gives way to another, and open connections stay`, async (t) => {
      const proxy = await startNamed(t, NEAR_AND_FAR);
      const [home, peer] = await visit(t, proxy);
      assert.equal(home, 'near');
      await edit(proxy, { near: change });
      for (let times = 0; times < WORKERS; times++) assert.equal(await nameFor(t, proxy), 'far-');
      assert.equal(await nameFor(t, proxy, '127.0.9.2'), 'far-', 'a new client');
      await peer.write('ping');
      assert.equal(String(await peer.read(4)), 'ping');
    });
  }

  it('to a backend that is full gives way to another, whose it is from then on', async (t) => {
    const proxy = await startNamed(t, [
      { id: 'near', region: 'sa', hardLimit: 1 },
      { id: 'far-', region: 'us' },
    ]);
    const [home, peer] = await visit(t, proxy);
    assert.equal(home, 'near');
    assert.equal(await nameFor(t, proxy), 'far-');
    peer.close();
    await eventually('the place is free', () => proxy.counters.held(2).active === 0);
    assert.equal(await nameFor(t, proxy), 'far-');
  });

  it('is of one listener', async (t) => {
    const proxy = await startNamed(t, NEAR_AND_FAR, { listen: '127.0.0.1:0,127.0.0.2:0' });
    await bindToFar(t, proxy);
    assert.equal(await nameFor(t, proxy, CLIENT, proxy.listen[1]), 'near');
    assert.equal(await nameFor(t, proxy, CLIENT, proxy.listen[0]), 'far-');
    assert.equal(await nameFor(t, proxy, CLIENT, proxy.listen[1]), 'near');
  });

  it('slides with every connection, and ends a TTL after the last one', async (t) => {
    const proxy = await startNamed(t, NEAR_AND_FAR, { env: { EDGEPROXY_BINDING_TTL_SECS: String(TTL_SECS) } });
    await bindToFar(t, proxy);
    const until = performance.now() + 2 * TTL_SECS * 1000;
    // The clock of bindings counts whole seconds, so a TTL of two is at least one.
    while (performance.now() < until) {
      assert.equal(await nameFor(t, proxy), 'far-');
      await delay(200);
    }
    await delay((TTL_SECS + 1) * 1000);
    assert.equal(await nameFor(t, proxy), 'near');
  });

  it('is not made where the TTL is 0', async (t) => {
    const proxy = await startNamed(t, NEAR_AND_FAR, { env: { EDGEPROXY_BINDING_TTL_SECS: '0' } });
    await bindToFar(t, proxy);
    assert.equal(await nameFor(t, proxy), 'near');
  });
});
