import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BEAT_MS, WorkerLoad, type LoadLimits } from '../../src/application/worker-load.js';
import { CLOCK } from '../../src/domain/shared/batch-layout.js';
import { REJECT_REASONS, SHEDDING, WORKER, type RejectReason } from '../../src/domain/shared/layout.js';
import { activeOf, backend, newRegion, RoutingRig, type Answer } from '../support/routing-rig.js';

const NO_LIMITS: LoadLimits = { overloadLagMs: 0, overloadMemoryMb: 0, overloadDescriptorsPercent: 0 };
const WORKER_INDEX = 2;
const START_MICROS = -5_000_000;

/** A worker's load with a clock and gauges that a test sets by hand. */
class Rig {
  readonly region = newRegion().region;
  residentMb = 0;
  descriptors = 0;
  descriptorLimit = 1000;
  /** How often descriptors and memory were asked for. */
  counted = 0;
  weighed = 0;
  nowMicros = START_MICROS;
  readonly load: WorkerLoad;

  constructor(limits: Partial<LoadLimits>) {
    const gauges = {
      residentMb: () => (this.weighed++, this.residentMb),
      descriptors: () => (this.counted++, this.descriptors),
      descriptorLimit: () => this.descriptorLimit,
    };
    const { region, nowMicros } = this;
    this.load = new WorkerLoad({ ...NO_LIMITS, ...limits, region, worker: WORKER_INDEX, gauges, nowMicros });
  }

  word(name: 'HEARTBEAT' | 'LAG_MS' | 'SHEDDING'): number {
    return Atomics.load(this.region.words, this.region.workerAt(WORKER_INDEX) + WORKER[name]);
  }

  pass(ms: number): void {
    this.nowMicros = (this.nowMicros + ms * 1000) | 0;
  }

  beat(lagMs = 0): void {
    this.pass(BEAT_MS + lagMs);
    this.load.beat(this.nowMicros);
  }

  refusal(clients = 1): RejectReason | undefined {
    return REJECT_REASONS[-1 - this.load.refusal(this.nowMicros, clients)];
  }
}

describe('the load of a worker', () => {
  it('counts beats and tells how late the last one was', () => {
    const rig = new Rig({});
    rig.beat();
    rig.beat(17);
    assert.deepEqual([rig.word('HEARTBEAT'), rig.word('LAG_MS')], [2, 17]);
    rig.beat();
    assert.deepEqual([rig.word('HEARTBEAT'), rig.word('LAG_MS'), rig.word('SHEDDING')], [3, 0, 0]);
  });

  it('goes on across the wrap of the clock', () => {
    const rig = new Rig({ overloadLagMs: 100 });
    rig.nowMicros = 0x7fffffff - 100_000;
    rig.load.beat(rig.nowMicros);
    rig.beat();
    rig.beat(7);
    assert.equal(rig.word('LAG_MS'), 7);
    assert.equal(rig.refusal(), undefined);
  });

  it('turns nobody away without limits, and asks the system for nothing', () => {
    const rig = new Rig({});
    rig.residentMb = rig.descriptors = 1e9;
    rig.beat(100_000);
    rig.pass(100_000);
    assert.equal(rig.refusal(1000), undefined);
    assert.deepEqual([rig.weighed, rig.counted], [0, 0]);
  });

  it('turns new clients away after a late beat, until one is on time', () => {
    const rig = new Rig({ overloadLagMs: 100 });
    rig.beat(100);
    assert.equal(rig.refusal(), undefined);
    rig.beat(101);
    assert.equal(rig.refusal(), 'overload_lag');
    assert.equal(rig.word('SHEDDING'), SHEDDING.LAG);
    rig.beat(91);
    assert.equal(rig.refusal(), 'overload_lag');
    rig.beat(90);
    assert.equal(rig.refusal(), undefined);
    assert.equal(rig.word('SHEDDING'), 0);
  });

  it('turns away the first clients after a standstill, before a timer could tell', () => {
    const rig = new Rig({ overloadLagMs: 1000 });
    rig.beat();
    rig.pass(BEAT_MS + 1000);
    assert.equal(rig.refusal(), undefined);
    rig.pass(2000);
    assert.equal(rig.refusal(), 'overload_lag');
    assert.equal(rig.word('SHEDDING'), SHEDDING.LAG);
    rig.load.beat(rig.nowMicros);
    assert.equal(rig.word('LAG_MS'), 3000);
    assert.equal(rig.refusal(), 'overload_lag');
    rig.beat();
    assert.equal(rig.refusal(), undefined);
  });

  it('looks at memory with each beat', () => {
    const rig = new Rig({ overloadMemoryMb: 100 });
    rig.residentMb = 101;
    assert.equal(rig.refusal(), undefined);
    rig.beat();
    assert.equal(rig.refusal(), 'overload_memory');
    rig.residentMb = 91;
    rig.beat();
    assert.equal(rig.refusal(), 'overload_memory');
    rig.residentMb = 90;
    rig.beat();
    assert.equal(rig.refusal(), undefined);
  });

  it('counts descriptors again as soon as those who came may have used them up', () => {
    const rig = new Rig({ overloadDescriptorsPercent: 95 });
    rig.descriptors = 149;
    rig.beat();
    const before = rig.counted;
    for (let client = 0; client < 400; client++) assert.equal(rig.refusal(), undefined);
    assert.equal(rig.counted, before);
    rig.descriptors = 949;
    assert.equal(rig.refusal(), undefined);
    assert.equal(rig.counted, before + 1);
    rig.descriptors = 951;
    assert.equal(rig.refusal(), 'overload_descriptors');
    // Nobody comes in any more: the next beat is soon enough.
    assert.equal(rig.refusal(200), 'overload_descriptors');
    assert.equal(rig.counted, before + 2);
    rig.descriptors = 855;
    rig.beat();
    assert.equal(rig.refusal(), 'overload_descriptors');
    rig.descriptors = 854;
    rig.beat();
    assert.equal(rig.refusal(), undefined);
  });

  it('follows a limit of descriptors that was changed from outside', () => {
    const rig = new Rig({ overloadDescriptorsPercent: 50 });
    rig.descriptors = 100;
    rig.beat();
    assert.equal(rig.refusal(), undefined);
    rig.descriptorLimit = 150;
    rig.beat();
    assert.equal(rig.refusal(), 'overload_descriptors');
    rig.descriptorLimit = 1000;
    rig.beat();
    assert.equal(rig.refusal(), undefined);
  });

  it('takes other limits from the next beat on', () => {
    const rig = new Rig({ overloadMemoryMb: 100 });
    rig.residentMb = 200;
    rig.beat();
    assert.equal(rig.refusal(), 'overload_memory');
    rig.load.configure({ ...NO_LIMITS, overloadMemoryMb: 300 });
    rig.beat();
    assert.equal(rig.refusal(), undefined);
    rig.load.configure({ ...NO_LIMITS, overloadMemoryMb: 150 });
    rig.beat();
    assert.equal(rig.refusal(), 'overload_memory');
    rig.load.configure(NO_LIMITS);
    rig.beat();
    assert.equal(rig.refusal(), undefined);
  });
});

describe('route: the gate', () => {
  function slotOrReason({ slot }: Answer): number | string {
    return slot >= 0 ? slot : (REJECT_REASONS[-1 - slot] ?? 'nothing');
  }

  it('keeps new clients out before a place is reserved for them, and lets retries through', () => {
    const rig = new RoutingRig();
    rig.publish([backend('a'), backend('b')]);
    rig.clock[CLOCK.MICROS] = 77;
    const asked: [number, number][] = [];
    let answer = -1 - REJECT_REASONS.indexOf('overload_memory');
    rig.batch.useGate({ refusal: (...given) => (asked.push(given), answer) });
    rig.put(0, 1);
    rig.put(1, 2, { tried: [0] });
    rig.put(2, 3);
    rig.batch.route(3);
    assert.deepEqual(
      [0, 1, 2].map((index) => slotOrReason(rig.answer(index))),
      ['overload_memory', 1, 'overload_memory'],
    );
    assert.deepEqual([activeOf(rig.region, 0), activeOf(rig.region, 1)], [0, 1]);
    assert.deepEqual(asked, [[77, 3]]);
    answer = 0;
    rig.batch.route(3);
    assert.equal(activeOf(rig.region, 0) + activeOf(rig.region, 1), 4);
  });
});
