import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SETTINGS } from '../../src/adapters/inbound/config/settings.js';
import type { Setting } from '../../src/adapters/inbound/config/setting.js';
import { regionBytes, setsFor } from '../../src/domain/shared/control-region.js';

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
    bindingSets: setsFor(largest(SETTINGS.maxBindings), 8),
    rateSets: setsFor(largest(SETTINGS.maxTrackedClients), 8),
    clientSets: setsFor(largest(SETTINGS.maxTrackedClients), 8),
  };

  it('stays below one and a half gibibytes in every combination', () => {
    assert.ok(regionBytes(most) < 1.5 * 2 ** 30, `${regionBytes(most)} bytes`);
  });

  it('has room for 16,777,216 bindings at most, because all of them are swept', () => {
    assert.equal(largest(SETTINGS.maxBindings), 2 ** 24);
  });

  it('is what docs/configuration.md says', () => {
    const { workers, backends, bindingSets, clientSets } = most;
    const clients = (4 * workers + 12) * 8 * clientSets;
    const documented = 64 * backends * (workers + 6) + 16 * 8 * bindingSets + clients;
    const rest = regionBytes(most) - documented;
    assert.ok(rest > 0 && rest < 512 * 1024, `${rest} bytes more`);
  });
});
