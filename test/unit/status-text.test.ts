import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BackendRow } from '../../src/cli/admin/answers.js';
import { stateOf } from '../../src/cli/admin/status-text.js';

const SERVING: BackendRow = {
  ...{ id: 'a', app: 'web', region: 'sa', ip: '192.0.2.1', port: 80, active: 0, connections_total: 0, errors: {} },
  ...{ health: 'unknown', breaker: 'closed', draining: false, enabled: true, silent: false, weight: 1, rtt_ms: null },
};

describe('the state of a backend, as status and top show it', () => {
  const WORST_FIRST: readonly (readonly [state: string, differs: Partial<BackendRow>])[] = [
    ['silent', { silent: true }],
    ['disabled', { enabled: false }],
    ['down', { health: 'unhealthy' }],
    ['breaker half-open', { breaker: 'half_open' }],
    ['draining', { draining: true }],
    ['weight 0', { weight: 0 }],
    ['up', { health: 'healthy' }],
  ];

  it('is the worst that is known of it', () => {
    assert.equal(stateOf(SERVING), 'enabled');
    for (const [index, [state]] of WORST_FIRST.entries()) {
      const all = WORST_FIRST.slice(index).map(([, differs]) => differs);
      // The worse ones last: of two that say something of its health, theirs counts.
      assert.equal(stateOf(Object.assign({ ...SERVING }, ...all.reverse()) as BackendRow), state);
    }
  });
});
