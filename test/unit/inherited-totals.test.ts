/** What an older version has counted, and counts on, in the region of a newer one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionTable } from '../../src/domain/regions.js';
import { RuleNumbers } from '../../src/domain/rules/rule-numbers.js';
import { RunTotals } from '../../src/application/run-totals.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { InheritedTotals } from '../../src/domain/shared/inherited-totals.js';
import {
  ACCEPTOR,
  CONNECT_BOUNDS_MICROS,
  HISTOGRAM,
  POOL,
  PRIMARY,
  REJECT_REASONS,
  WORKER,
  WORKER_ROW,
} from '../../src/domain/shared/layout.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { SharedTotals } from '../../src/domain/shared/shared-totals.js';
import { backend, newRegion } from '../support/routing-rig.js';

/** One version: its region, its routing table, and what its workers would write. */
class Version {
  readonly region: ControlRegion;
  readonly totals: SharedTotals;
  readonly rules: RuleNumbers;
  readonly run: RunTotals;
  readonly #routes: RoutesWriter;

  constructor(workers: number, backends = 8) {
    this.region = newRegion({ workers, backends }).region;
    this.totals = new SharedTotals(this.region);
    this.rules = new RuleNumbers(this.region);
    this.run = new RunTotals(this.region);
    this.#routes = new RoutesWriter(this.region, new BindingTable(this.region));
  }

  publish(...ids: string[]): void {
    this.#routes.publish(
      ids.map((id) => backend(id)),
      regionTable(),
      'eu',
    );
  }

  slotOf(id: string): number {
    const slot = this.#routes.slotOf(id);
    assert.ok(slot !== undefined, id);
    return slot;
  }

  /** As C++ does: by one worker. */
  count(worker: number, offset: number, amount: number): void {
    this.#raise(this.region.workerAt(worker) + offset, amount);
  }

  connect(worker: number, id: string, connects: number, micros: number): void {
    const slot = this.slotOf(id);
    this.#raise(this.region.rowAt(worker, slot) + WORKER_ROW.CONNECTIONS, connects);
    this.#raise(this.region.rowAt(worker, slot) + WORKER_ROW.ERRORS + 2, connects);
    this.#raise(this.region.connectTimesAt(slot) + HISTOGRAM.COUNTS + 2, connects);
    this.#raise(this.region.connectTimesAt(slot) + HISTOGRAM.SUM, connects * micros);
  }

  select(rule: string, times: number): void {
    this.#raise(this.region.poolAt(this.rules.ofRule(rule)) + POOL.SELECTED, times);
  }

  /** Connections, time-outs, connects in the second bucket, and their microseconds. */
  of(id: string): readonly number[] {
    const slot = this.slotOf(id);
    const { counts, sum } = this.totals.connectTimes(slot, CONNECT_BOUNDS_MICROS.length);
    return [this.totals.backendConnections(slot), this.totals.backendErrors(slot, 2), counts[1] ?? 0, sum];
  }

  #raise(word: number, amount: number): void {
    this.region.words[word] = (this.region.words[word] ?? 0) + amount;
  }
}

describe('totals that are inherited', () => {
  it('are those of all workers, and go on as the older version counts on', () => {
    const old = new Version(2);
    const next = new Version(3);
    old.count(0, WORKER.ACCEPTED, 10);
    old.count(1, WORKER.ACCEPTED, 5);
    old.count(1, WORKER.BYTES + HISTOGRAM.COUNTS, 4);
    old.region.words[old.region.offsets.acceptor + ACCEPTOR.RATE_LIMITED] = 7;
    old.run.countWorkerRestart();
    next.count(2, WORKER.ACCEPTED, 100);
    next.run.countWorkerRestart();
    const inherited = new InheritedTotals(old.region, next.region);
    inherited.carry();
    inherited.carry();
    const rateLimited = WORKER.REJECTED + 2 * REJECT_REASONS.indexOf('rate_limited');
    const all = (): readonly number[] => [
      next.totals.total(WORKER.ACCEPTED),
      next.totals.total(rateLimited),
      next.totals.histogram(WORKER.BYTES, 14).counts[0] ?? 0,
      next.totals.ofPrimary(PRIMARY.WORKER_RESTARTS),
    ];
    assert.deepEqual(all(), [122, 7, 4, 2]);
    old.count(0, WORKER.ACCEPTED, 1);
    old.count(0, WORKER.BYTES + HISTOGRAM.COUNTS, 1);
    inherited.carry();
    assert.deepEqual(all(), [123, 7, 5, 2]);
  });

  it('are a backend’s wherever it lies, also of one that comes later, and of nobody else', () => {
    const old = new Version(2);
    const next = new Version(1, 16);
    old.publish('a', 'b', 'gone');
    next.publish('x', 'b');
    for (const id of ['a', 'b', 'gone']) old.connect(1, id, 3, 400);
    old.connect(0, 'b', 1, 300);
    next.connect(0, 'b', 10, 300);
    const inherited = new InheritedTotals(old.region, next.region);
    inherited.carry();
    assert.deepEqual(next.of('b'), [14, 14, 14, 4_500]);
    assert.deepEqual(next.of('x'), [0, 0, 0, 0]);
    next.publish('x', 'b', 'a');
    inherited.carry();
    assert.deepEqual(next.of('a'), [3, 3, 3, 1_200]);
    old.connect(0, 'a', 2, 500);
    inherited.carry();
    assert.deepEqual(next.of('a'), [5, 5, 5, 2_200]);
    assert.deepEqual(next.of('b'), [14, 14, 14, 4_500]);
  });

  it('are not those of a backend that had the slot before', () => {
    const old = new Version(1, 1);
    const next = new Version(1);
    next.publish('first', 'second');
    old.publish('first');
    old.connect(0, 'first', 9, 400);
    const inherited = new InheritedTotals(old.region, next.region);
    inherited.carry();
    old.publish();
    old.publish('second');
    old.connect(0, 'second', 2, 400);
    inherited.carry();
    assert.deepEqual(next.of('first'), [9, 9, 9, 3_600]);
    assert.deepEqual(next.of('second'), [2, 2, 2, 800]);
  });

  it('are a rule’s, by its name', () => {
    const old = new Version(1);
    const next = new Version(1);
    old.select('one', 3);
    old.select('two', 5);
    next.select('two', 1);
    next.select('three', 1);
    const inherited = new InheritedTotals(old.region, next.region);
    inherited.carry();
    old.select('two', 2);
    inherited.carry();
    const selected = (rule: string): number => next.totals.ofPool(next.rules.ofRule(rule), POOL.SELECTED);
    assert.deepEqual([selected('two'), selected('three'), selected('one')], [8, 1, 0]);
  });

  it('go on to the version after the next', () => {
    const versions = [new Version(2), new Version(2), new Version(2)] as const;
    for (const version of versions) version.publish('a');
    const carried = [0, 1].map((at) => {
      const [from, to] = versions.slice(at);
      assert.ok(from && to);
      return new InheritedTotals(from.region, to.region);
    });
    versions[0].connect(0, 'a', 1, 400);
    versions[0].count(0, WORKER.ACCEPTED, 1);
    for (const each of carried) each.carry();
    versions[0].count(0, WORKER.ACCEPTED, 1);
    versions[1].count(0, WORKER.ACCEPTED, 1);
    for (const each of carried) each.carry();
    assert.deepEqual(versions[2].of('a'), [1, 1, 1, 400]);
    assert.equal(versions[2].totals.total(WORKER.ACCEPTED), 3);
  });
});
