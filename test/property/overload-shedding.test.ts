import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  mostDescriptors,
  reasonOf as nameOf,
  refusalOf,
  RESOURCES,
  shedding,
} from '../../src/domain/overload/shedding.js';
import { REJECT_REASONS, SHEDDING } from '../../src/domain/shared/layout.js';
import { fc } from '../support/fast-check.js';

const resource = fc.constantFrom('LAG' as const, 'MEMORY' as const, 'DESCRIPTORS' as const);
const most = fc.integer({ min: 1, max: 1_000_000 });
const anyBits = fc.integer({ min: 0, max: 7 });

describe('shedding', () => {
  it('begins above the bound and ends at nine tenths of it, whatever came between', () => {
    fc.assert(
      fc.property(resource, most, fc.array(fc.nat(2_000_000), { minLength: 1 }), (name, bound, values) => {
        let bits = 0;
        let expected = false;
        for (const value of values) {
          bits = shedding(bits, name, value, bound);
          if (value > bound) expected = true;
          else if (value <= bound * 0.9) expected = false;
          assert.equal((bits & SHEDDING[name]) !== 0, expected, `${value} of ${bound}`);
        }
      }),
    );
  });

  it('does not change its mind for a load between the two bounds', () => {
    fc.assert(
      fc.property(
        resource,
        fc.integer({ min: 100, max: 10_000 }),
        anyBits,
        fc.float({ min: 0, max: 1 }),
        (...given) => {
          const [name, bound, bits, share] = given;
          if (Number.isNaN(share)) return;
          const value = Math.min(bound, Math.floor(bound * 0.9) + 1 + share * bound * 0.1);
          assert.equal(shedding(bits, name, value, bound), bits);
        },
      ),
    );
  });

  it('leaves the bits of the other resources alone', () => {
    fc.assert(
      fc.property(resource, most, anyBits, fc.nat(2_000_000), (name, bound, bits, value) => {
        assert.equal((shedding(bits, name, value, bound) ^ bits) & ~SHEDDING[name], 0);
      }),
    );
  });

  it('ends at once where the bound was taken away', () => {
    assert.equal(shedding(SHEDDING.MEMORY, 'MEMORY', 1e9, Infinity), 0);
  });

  it('tells each reason, and the first of several', () => {
    const reasonOf = (bits: number): string | undefined => REJECT_REASONS[-1 - refusalOf(bits)];
    assert.equal(refusalOf(0), 0);
    assert.equal(reasonOf(SHEDDING.LAG), 'overload_lag');
    assert.equal(reasonOf(SHEDDING.MEMORY), 'overload_memory');
    assert.equal(reasonOf(SHEDDING.DESCRIPTORS), 'overload_descriptors');
    assert.equal(reasonOf(SHEDDING.DESCRIPTORS | SHEDDING.MEMORY), 'overload_memory');
    for (const name of RESOURCES) assert.equal(reasonOf(SHEDDING[name]), nameOf(name));
  });

  it('keeps the rest of the descriptors from the share on that was asked for', () => {
    assert.equal(mostDescriptors(1000, 0), Infinity);
    assert.equal(mostDescriptors(1000, 95), 949);
    assert.equal(mostDescriptors(1000, 100), 999);
    fc.assert(
      fc.property(fc.nat(2_000_000), fc.integer({ min: 1, max: 100 }), (limit, percent) => {
        const bound = mostDescriptors(limit, percent);
        assert.ok(bound * 100 < limit * percent || limit === 0);
        assert.ok((bound + 1) * 100 >= limit * percent);
      }),
    );
  });
});
