/** Upgrades under load: every connection is answered, whichever version it meets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { ConnectionLoad } from '../support/connection-load.js';
import { eventually } from '../support/eventually.js';
import { latestPrimary, upgrade } from '../support/generations.js';
import { isRunning } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const UPGRADES = 3;
const PER_UPGRADE = 1000;

describe('upgrades under load', TIME_LIMIT, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`leave no client refused, reset or unanswered, ${accept}`, async (t) => {
      const backend = await startBackend(t, echo);
      // Nobody is cut off, however long the busy machine takes for one connection.
      const env = { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: '120' };
      const proxy = await startProxy(t, { accept, backends: [{ port: backend.port }], env });
      const load = new ConnectionLoad(t, proxy.port);
      await load.answered(PER_UPGRADE);
      for (let count = 1; count <= UPGRADES; count++) {
        const oldPid = latestPrimary(proxy);
        const newPid = await upgrade(proxy);
        assert.notEqual(newPid, oldPid);
        await load.answered(load.report.answered + PER_UPGRADE);
        await eventually('the old version ends', () => !isRunning(oldPid), { deadlineMs: 120_000 });
        assert.ok(isRunning(newPid));
      }
      const { answered, failed } = await load.stop();
      assert.deepEqual(failed, {});
      assert.ok(answered >= (UPGRADES + 1) * PER_UPGRADE);
    });
  }
});
