import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editDistance, nearestName } from '../../src/adapters/inbound/config/nearest-name.js';

describe('nearestName', () => {
  it('finds the name that one slip away is known', () => {
    const known = ['start', 'validate', 'backend'];
    assert.equal(nearestName('strat', known), 'start');
    assert.equal(nearestName('validat', known), 'validate');
    assert.equal(nearestName('backends', known), 'backend');
  });

  it('prefers the nearer of two', () => {
    assert.equal(nearestName('DB_PATHS', ['DB_PATCH', 'DB_PATH']), 'DB_PATH');
  });

  it('does not guess where nothing is near', () => {
    assert.equal(nearestName('frobnicate', ['start', 'validate']), null);
    assert.equal(nearestName('x'.repeat(100_000), ['start']), null);
  });
});

describe('editDistance', () => {
  it('counts insertions, deletions, substitutions and swaps of neighbours', () => {
    const distances = [
      editDistance('', 'abc'),
      editDistance('abc', ''),
      editDistance('kitten', 'sitting'),
      editDistance('ab', 'ba'),
    ];
    assert.deepEqual(distances, [3, 3, 3, 1]);
  });
});
