import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HealthState } from '../../src/domain/health/health-state.js';

const THRESHOLDS = { healthy: 2, unhealthy: 3 };

/** The state after each result, from a string of `+` (success) and `-` (failure). */
function follow(results: string, state = new HealthState()): string {
  return Array.from(results)
    .map((result) => {
      const wasUp = state.isUp;
      const hasChanged = state.record(result === '+', THRESHOLDS);
      assert.equal(hasChanged, state.isUp !== wasUp);
      return state.isUp ? 'U' : 'D';
    })
    .join('');
}

describe('HealthState', () => {
  it('is up before the first check, which decides alone', () => {
    assert.equal(new HealthState().isUp, true);
    assert.equal(follow('-'), 'D');
    assert.equal(follow('+'), 'U');
  });

  it('goes down with the last of so many failures in a row, and up with the last of so many successes', () => {
    assert.equal(follow('+--+---++'), 'UUUUUUDDU');
    assert.equal(follow('-+-+-++'), 'DDDDDDU');
  });

  it('begins to count anew after each change', () => {
    assert.equal(follow('+---+-++--+---'), 'UUUDDDDUUUUUUD');
  });

  it('keeps its state through a restart, after which one check decides', () => {
    const state = new HealthState();
    follow('+---', state);
    state.restart();
    assert.equal(state.isUp, false);
    assert.equal(follow('+', state), 'U');
    state.restart();
    assert.equal(follow('++--', state), 'UUUU');
  });

  it('takes other thresholds into account with the next check', () => {
    const state = new HealthState();
    follow('+--', state);
    assert.equal(state.record(false, { healthy: 1, unhealthy: 1 }), true);
    assert.equal(state.record(true, { healthy: 1, unhealthy: 1 }), true);
  });
});
