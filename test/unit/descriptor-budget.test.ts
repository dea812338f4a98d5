import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  fitDescriptors,
  fitProbes,
  primaryDescriptors,
  type DescriptorBudget,
} from '../../src/cluster/descriptor-budget.js';
import { fc } from '../support/fast-check.js';

/** What a worker needs besides clients and pipes. */
const RESERVED = 64;

function fit(limit: number, maxConnections: number, maxPipes: number, isPoolEnabled = false): DescriptorBudget {
  return fitDescriptors(limit, { maxConnections, maxPipes, isPoolEnabled });
}

describe('the descriptor budget of a worker', () => {
  it('grants everything where the limit has room for it', () => {
    assert.deepEqual(fit(1_048_576, 10_000, 512), {
      maxConnections: 10_000,
      maxPipes: 512,
      maxWarmConnections: 0,
      isReduced: false,
    });
  });

  it('grants everything at exactly the limit that is needed', () => {
    const needed = RESERVED + 2 * 1000 + 2 * 100;
    assert.equal(fit(needed, 1000, 100).isReduced, false);
    assert.equal(fit(needed - 2, 1000, 100).isReduced, true);
  });

  it('takes pipes away before connections, down to a quarter of the room', () => {
    const limit = RESERVED + 2000;
    assert.deepEqual(fit(limit, 1000, 512), {
      maxConnections: 750,
      maxPipes: 250,
      maxWarmConnections: 0,
      isReduced: true,
    });
    assert.deepEqual(fit(limit, 700, 512), {
      maxConnections: 700,
      maxPipes: 300,
      maxWarmConnections: 0,
      isReduced: true,
    });
  });

  it('takes one descriptor for a client where all are UDP sessions', () => {
    const wishes = { maxConnections: 1000, maxPipes: 100, isPoolEnabled: false, isUdpOnly: true };
    assert.equal(fitDescriptors(RESERVED + 1000 + 2 * 100, wishes).isReduced, false);
    assert.equal(fitDescriptors(RESERVED + 1000 + 2 * 100 - 1, wishes).isReduced, true);
  });

  it('gives what pipes do not want to connections', () => {
    assert.deepEqual(fit(RESERVED + 200, 1000, 0), {
      maxConnections: 100,
      maxPipes: 0,
      maxWarmConnections: 0,
      isReduced: true,
    });
  });

  it('lets one connection be opened ahead for four clients, where the pool is on', () => {
    assert.equal(fit(1_048_576, 10_000, 512, true).maxWarmConnections, 2500);
    assert.equal(fit(1_048_576, 1, 512, true).maxWarmConnections, 1);
    assert.equal(fit(1_048_576, 10_000, 512, false).maxWarmConnections, 0);
  });

  it('takes connections opened ahead away first, down to a sixteenth of the room', () => {
    const needed = RESERVED + 2 * 1000 + 2 * 100;
    assert.equal(fit(needed + 250, 1000, 100, true).maxWarmConnections, 250);
    const { maxConnections, maxPipes, maxWarmConnections } = fit(needed + 200, 1000, 100, true);
    assert.deepEqual(
      { maxConnections, maxPipes, maxWarmConnections },
      { maxConnections: 1000, maxPipes: 100, maxWarmConnections: 200 },
    );
    assert.equal(fit(RESERVED + 1600, 10_000, 0, true).maxWarmConnections, 100);
  });

  it('leaves no connection where the limit is below what the worker itself needs', () => {
    for (const limit of [0, 1, RESERVED - 1, RESERVED, RESERVED + 1]) {
      assert.equal(fit(limit, 1000, 512).maxConnections, 0, `limit ${limit}`);
    }
  });

  it('never spends more than the limit nor grants more than was asked for', () => {
    const limits = fc.nat(2_000_000);
    fc.assert(
      fc.property(
        limits,
        fc.nat(1_000_000),
        fc.nat(65_535),
        fc.boolean(),
        (limit, wantedConnections, wantedPipes, isPool) => {
          const budget = fit(limit, wantedConnections, wantedPipes, isPool);
          const { maxConnections, maxPipes, maxWarmConnections, isReduced } = budget;
          assert.ok(maxConnections >= 0 && maxConnections <= wantedConnections);
          assert.ok(maxPipes >= 0 && maxPipes <= wantedPipes);
          assert.ok(maxWarmConnections >= 0);
          assert.ok(2 * (maxConnections + maxPipes) + maxWarmConnections <= Math.max(0, limit - RESERVED));
          assert.equal(isReduced, maxConnections < wantedConnections || maxPipes < wantedPipes);
        },
      ),
    );
  });

  it('leaves room for at least one connection wherever there is room for three pairs', () => {
    fc.assert(
      fc.property(fc.integer({ min: RESERVED + 6, max: 4096 }), fc.nat(65_535), (limit, wantedPipes) => {
        assert.ok(fit(limit, 10_000, wantedPipes).maxConnections >= 1);
      }),
    );
  });
});

describe('the descriptors of the primary', () => {
  it('grow with the workers and with the listening sockets', () => {
    assert.equal(primaryDescriptors(0, 0), 48);
    assert.equal(primaryDescriptors(2, 1), 60);
    assert.equal(primaryDescriptors(128, 256), 48 + 640 + 512);
  });

  it('leave half of the rest for health checks, 1 at least and 1,024 at most', () => {
    assert.equal(fitProbes(1_048_576, 60), 1024);
    assert.equal(fitProbes(260, 60), 100);
    assert.equal(fitProbes(60, 60), 1);
    assert.equal(fitProbes(10, 60), 1);
  });
});
