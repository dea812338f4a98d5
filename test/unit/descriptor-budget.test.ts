import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fitDescriptors, primaryDescriptors } from '../../src/cluster/descriptor-budget.js';

/** What a worker needs besides clients and pipes. */
const RESERVED = 64;

describe('the descriptor budget of a worker', () => {
  it('grants everything where the limit has room for it', () => {
    assert.deepEqual(fitDescriptors(1_048_576, 10_000, 512), {
      maxConnections: 10_000,
      maxPipes: 512,
      isReduced: false,
    });
  });

  it('grants everything at exactly the limit that is needed', () => {
    const needed = RESERVED + 2 * 1000 + 2 * 100;
    assert.equal(fitDescriptors(needed, 1000, 100).isReduced, false);
    assert.equal(fitDescriptors(needed - 2, 1000, 100).isReduced, true);
  });

  it('takes pipes away before connections, down to a quarter of the room', () => {
    const limit = RESERVED + 2000;
    assert.deepEqual(fitDescriptors(limit, 1000, 512), { maxConnections: 750, maxPipes: 250, isReduced: true });
    assert.deepEqual(fitDescriptors(limit, 700, 512), { maxConnections: 700, maxPipes: 300, isReduced: true });
  });

  it('gives what pipes do not want to connections', () => {
    assert.deepEqual(fitDescriptors(RESERVED + 200, 1000, 0), { maxConnections: 100, maxPipes: 0, isReduced: true });
  });

  it('leaves no connection where the limit is below what the worker itself needs', () => {
    for (const limit of [0, 1, RESERVED - 1, RESERVED, RESERVED + 1]) {
      assert.equal(fitDescriptors(limit, 1000, 512).maxConnections, 0, `limit ${limit}`);
    }
  });

  it('never spends more than the limit nor grants more than was asked for', () => {
    const limits = fc.nat(2_000_000);
    fc.assert(
      fc.property(limits, fc.nat(1_000_000), fc.nat(65_535), (limit, wantedConnections, wantedPipes) => {
        const { maxConnections, maxPipes, isReduced } = fitDescriptors(limit, wantedConnections, wantedPipes);
        assert.ok(maxConnections >= 0 && maxConnections <= wantedConnections);
        assert.ok(maxPipes >= 0 && maxPipes <= wantedPipes);
        assert.ok(2 * (maxConnections + maxPipes) <= Math.max(0, limit - RESERVED));
        assert.equal(isReduced, maxConnections < wantedConnections || maxPipes < wantedPipes);
      }),
    );
  });

  it('leaves room for at least one connection wherever there is room for three pairs', () => {
    fc.assert(
      fc.property(fc.integer({ min: RESERVED + 6, max: 4096 }), fc.nat(65_535), (limit, wantedPipes) => {
        assert.ok(fitDescriptors(limit, 10_000, wantedPipes).maxConnections >= 1);
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
});
