import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SETTINGS } from '../../src/adapters/inbound/config/settings.js';
import type { Setting } from '../../src/adapters/inbound/config/settings.js';
import { bindingSetsFor } from '../../src/domain/shared/binding-table.js';
import { regionBytes } from '../../src/domain/shared/control-region.js';

/** The largest number that a setting takes, which its parser names. */
function largest(setting: Setting<number>): number {
  const most = Number(/to (\d+)/.exec(setting.parser.expected)?.[1]);
  assert.deepEqual(setting.parser.parse(String(most)), { isValid: true, value: most });
  assert.equal(setting.parser.parse(String(most + 1)).isValid, false);
  return most;
}

describe('the shared memory that settings can ask for', () => {
  const most = {
    workers: largest(SETTINGS.workers),
    backends: largest(SETTINGS.maxBackends),
    bindingSets: bindingSetsFor(largest(SETTINGS.maxBindings)),
  };

  it('stays below a gibibyte in every combination', () => {
    assert.ok(regionBytes(most) < 2 ** 30, `${regionBytes(most)} bytes`);
  });

  it('has room for 16,777,216 bindings at most, because all of them are swept', () => {
    assert.equal(largest(SETTINGS.maxBindings), 2 ** 24);
  });

  it('is what docs/configuration.md says', () => {
    const { workers, backends, bindingSets } = most;
    const documented = 64 * backends * (workers + 3) + 16 * 8 * bindingSets;
    const rest = regionBytes(most) - documented;
    assert.ok(rest > 0 && rest < 64 * 1024, `${rest} bytes more`);
  });
});
