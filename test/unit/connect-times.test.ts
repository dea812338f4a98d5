import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionTable } from '../../src/domain/regions.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { ConnectTimes, nextConnectMicros } from '../../src/domain/shared/connect-times.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { backend, newRegion } from './../support/routing-rig.js';
import { fc } from '../support/fast-check.js';

describe('the average of connect times', () => {
  it('follows the engine: falls by half of the difference, rises by an eighth, at most of itself', () => {
    const steps = [
      [0, 500, 500],
      [0, 0.2, 1],
      [0, Infinity, 0x7fffffff],
      [1, 0, 1],
      [1000, 200, 600],
      [1000, 1800, 1100],
      [1000, 3_000_000, 1125],
    ] as const;
    for (const [average, sample, expected] of steps) assert.equal(nextConnectMicros(average, sample), expected);
  });

  it('stays between what it was and what was measured, and gets there', () => {
    const micros = fc.integer({ min: 1, max: 10_000_000 });
    fc.assert(
      fc.property(micros, micros, (first, sample) => {
        let average = first;
        for (let times = 0; times < 400 && average !== sample; times++) {
          const next = nextConnectMicros(average, sample);
          assert.ok(Math.abs(next - sample) < Math.abs(average - sample) && (next - sample) * (average - sample) >= 0);
          average = next;
        }
        assert.equal(average, sample);
      }),
    );
  });
});

describe('a measured connect time', () => {
  function published(...backends: readonly ReturnType<typeof backend>[]): {
    readonly times: ConnectTimes;
    readonly publish: (...list: readonly ReturnType<typeof backend>[]) => void;
  } {
    const { region } = newRegion({ backends: 1 });
    const writer = new RoutesWriter(region, new BindingTable(region));
    const publish = (...list: readonly ReturnType<typeof backend>[]): void => {
      writer.publish(list, regionTable(), 'sa');
    };
    publish(...backends);
    return { times: new ConnectTimes(region), publish };
  }

  it('is not that of the next backend in the slot', () => {
    const { times, publish } = published(backend('old'));
    times.measured(0, 700);
    publish();
    publish(backend('new'));
    assert.equal(times.of(0), 0);
  });

  it('is forgotten where the backend gets another address, and kept through any other change', () => {
    const { times, publish } = published(backend('a'));
    times.measured(0, 700);
    publish(backend('a', { weight: 3, port: 81 }));
    publish(backend('a', { isHealthy: false }));
    publish(backend('a'));
    assert.equal(times.of(0), 700);
    publish(backend('a', { address: '10.99.0.1' }));
    assert.equal(times.of(0), 0);
  });
});
