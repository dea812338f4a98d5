import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 4;
const CLIENTS = 2000;
const AT_A_TIME = 250;
const FAIR = CLIENTS / WORKERS;
const TOLERANCE = 0.02 * FAIR;

describe('balance over the workers', TIME_LIMIT, () => {
  it(`spreads ${CLIENTS} long-lived connections over ${WORKERS} workers within 2 %, handoff`, async (t) => {
    const backend = await startBackend(t, echo);
    const backends = [{ port: backend.port, hardLimit: 0 }];
    const proxy = await startProxy(t, { accept: 'handoff', workers: WORKERS, backends });
    const { counters } = proxy;
    const loads = (): number[] => Array.from({ length: WORKERS }, (_, worker) => counters.gauge(worker, 'ACTIVE'));
    for (let connected = 0; connected < CLIENTS; connected += AT_A_TIME) {
      await Promise.all(Array.from({ length: AT_A_TIME }, () => connectPeer(t, proxy)));
    }
    await eventually('all are with a worker', () => counters.total('ACCEPTED') === CLIENTS);
    for (const load of loads()) assert.ok(Math.abs(load - FAIR) <= TOLERANCE, `loads are ${loads().join(', ')}`);
    assert.equal(
      loads().reduce((sum, load) => sum + load, 0),
      CLIENTS,
    );
  });
});
