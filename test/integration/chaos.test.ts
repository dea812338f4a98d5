/** A short chaos run with a fixed seed; `npm run chaos` runs longer ones (test/chaos/README.md). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runChaos } from '../chaos/chaos-run.js';

const LENGTH_MS = 12_000;
const LANES = 40;

describe('under chaos', { timeout: 300_000 }, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`every stream is whole or visibly broken, and everything is given back, ${accept}`, async (t) => {
      const report = await runChaos(t, { seed: `all, test ${accept}`, lengthMs: LENGTH_MS, accept, lanes: LANES });
      assert.deepEqual(report.violations, []);
      assert.equal(report.violationCount, 0);
      assert.ok((report.outcomes['intact'] ?? 0) > 100, JSON.stringify(report.outcomes));
      assert.ok((report.outcomes['reset'] ?? 0) > 0, 'the chaos has broken nothing');
    });
  }
});
