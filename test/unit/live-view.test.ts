import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LiveView } from '../../src/application/live-view.js';
import { WORKER } from '../../src/domain/shared/layout.js';
import { newRegion } from '../support/routing-rig.js';

describe('what is shown of a running proxy', () => {
  it('has what an older version, which drains, has counted up to now', () => {
    const { region } = newRegion({ workers: 1, backends: 8 });
    const view = new LiveView({
      region,
      version: '1.2.3',
      hostname: 'here',
      popRegion: () => 'eu',
      uptimeSecs: () => 1,
      phase: () => 'serving',
      isChecked: () => false,
      listeners: () => [],
      places: () => [],
      events: () => [],
      catchUpCounters: () => void Atomics.add(region.words, region.workerAt(0) + WORKER.ACCEPTED, 7),
    });
    assert.equal(view.stats().connections.total, 7);
  });
});
