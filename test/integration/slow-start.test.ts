/** Slow start with real processes. Shares are counted; how far a backend has come is read from shared memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackendStates } from '../../src/domain/shared/backend-states.js';
import { nameAndEnd } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { startProxy } from '../support/proxy-process.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';
import { countOf, visitInTurn } from '../support/visit.js';

const TIME_LIMIT = { timeout: 300_000 };
/** So many that each share below is off by chance less than once in 10⁹ times. */
const CLIENTS = 450;

interface Scene {
  readonly proxy: ProxyProcess;
  /** How far b0 has come. */
  readonly ramp: () => number;
  /** The share of b0 of CLIENTS, one after the other. */
  readonly share: () => Promise<number>;
}

async function sceneOf(owner: Owner, slowStartSecs: number): Promise<Scene> {
  const backends = await Promise.all(['b0', 'b1'].map((name) => startBackend(owner, nameAndEnd(name))));
  const proxy = await startProxy(owner, {
    backends: backends.map(({ port }) => ({ port })),
    env: { EDGEPROXY_BINDING_TTL_SECS: '0', EDGEPROXY_SLOW_START_SECS: String(slowStartSecs) },
  });
  const states = new BackendStates(proxy.counters.region);
  const slot = proxy.counters.slotOf(backends[0]?.port ?? 0);
  return {
    proxy,
    ramp: () => states.ramp(slot),
    share: async () => countOf(await visitInTurn(owner, proxy, CLIENTS), 'b0') / CLIENTS,
  };
}

async function goAndComeBack({ proxy }: Scene): Promise<void> {
  await edit(proxy, { b0: { draining: 1 } });
  await edit(proxy, { b0: { draining: 0 } });
}

describe('slow start', TIME_LIMIT, () => {
  it('begins with a small share for a backend that comes back, not for those of the first table', async (t) => {
    // So long that it has hardly come further by the last client.
    const scene = await sceneOf(t, 3600);
    const share = await scene.share();
    assert.ok(share > 0.3 && share < 0.7, `${share} at the start`);
    await goAndComeBack(scene);
    await eventually('it begins', () => scene.ramp() > 0);
    const early = await scene.share();
    // 5 % of a weight against a whole one is a share of 0.048; of 450 clients 21 ± 4.5.
    assert.ok(scene.ramp() < 150, `${scene.ramp()} ‰ of its weight`);
    assert.ok(early > 0 && early < 0.2, `${early} of the clients`);
  });

  it('ends with the whole share', async (t) => {
    const scene = await sceneOf(t, 4);
    await goAndComeBack(scene);
    const seen = new Set<number>();
    await eventually('it rises and ends', () => {
      seen.add(scene.ramp());
      return seen.size > 1 && scene.ramp() === 0;
    });
    const share = await scene.share();
    assert.ok(share > 0.3 && share < 0.7, `${share} at the end`);
  });
});
