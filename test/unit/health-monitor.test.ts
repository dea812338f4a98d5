import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HealthMonitor, type HealthSettings } from '../../src/application/health-monitor.js';
import type { Probe, ProbeDone, Prober, ProbeOutcome } from '../../src/application/ports/prober.js';
import type { Backend } from '../../src/domain/backend.js';
import type { PublishedBackend } from '../../src/domain/shared/routes-writer.js';
import { backend } from '../support/routing-rig.js';

const NO_POOL = { pool: 0, isInline: false };

const INTERVAL_MS = 1000;
const SETTINGS: HealthSettings = {
  type: 'tcp',
  intervalMs: INTERVAL_MS,
  path: '/health',
  statuses: [{ first: 200, last: 200 }],
  send: '',
  expect: '',
  thresholds: { healthy: 2, unhealthy: 3 },
  timeoutMs: 500,
  attempts: 1,
  maxProbes: 100,
};
const FAILED: ProbeOutcome = { isUp: false, reason: 'refused' };
const PASSED: ProbeOutcome = { isUp: true };

interface Asked {
  readonly probe: Probe;
  readonly atMs: number;
  readonly done: ProbeDone;
}

/** A monitor with a clock of its own; what is asked waits for the test to answer it. */
class Rig implements Prober {
  readonly monitor: HealthMonitor;
  readonly events: string[] = [];
  /** Under way, in the order of their start. */
  readonly open: Asked[] = [];
  nowMs = 0;
  random = 0.5;
  asked = 0;
  mostPerTurn = 0;
  #timer: { readonly atMs: number; readonly action: () => void } | null = null;

  constructor() {
    this.monitor = new HealthMonitor({
      prober: this,
      nowMs: () => this.nowMs,
      random: () => this.random,
      schedule: (action, delayMs) => {
        const timer = { atMs: this.nowMs + delayMs, action };
        this.#timer = timer;
        return () => {
          if (this.#timer === timer) this.#timer = null;
        };
      },
      onChange: ({ id, slot, isUp, check, reason }) =>
        this.events.push(`${id}@${slot} ${isUp ? 'up' : 'down'} ${check} ${reason}`),
      onForget: (slot) => this.events.push(`forget ${slot}`),
      onConnect: (slot, connectMs) => this.events.push(`${slot} connected in ${connectMs} ms`),
      onSkip: (reason) => this.events.push(`skip ${reason}`),
    });
  }

  start(probe: Probe, done: ProbeDone): () => void {
    const asked = { probe, atMs: this.nowMs, done };
    this.open.push(asked);
    this.asked++;
    return () => void this.open.splice(this.open.indexOf(asked), 1);
  }

  /** Runs what is due until then. */
  advanceTo(nowMs: number): void {
    while (this.#timer !== null && this.#timer.atMs <= nowMs) {
      const { atMs, action } = this.#timer;
      this.#timer = null;
      this.nowMs = Math.max(this.nowMs, atMs);
      const before = this.asked;
      action();
      this.mostPerTurn = Math.max(this.mostPerTurn, this.asked - before);
    }
    this.nowMs = nowMs;
  }

  /** Answers the oldest check. */
  answer(outcome: ProbeOutcome, connectMs: number | null = null): void {
    const asked = this.open.shift();
    assert.ok(asked, 'nothing is asked');
    asked.done(outcome, connectMs);
  }

  /** Waits for the next check and answers it. */
  next(outcome: ProbeOutcome, connectMs: number | null = null): void {
    const endMs = this.nowMs + 2 * INTERVAL_MS;
    while (this.open.length === 0 && this.nowMs < endMs) this.advanceTo(this.nowMs + 1);
    this.answer(outcome, connectMs);
  }
}

function published(...backends: readonly Backend[]): readonly PublishedBackend[] {
  return backends.map((it) => ({ ...NO_POOL, slot: Number(it.id.slice(1)), backend: it }));
}

function backends(count: number): readonly PublishedBackend[] {
  return published(...Array.from({ length: count }, (_, index) => backend(`b${index}`)));
}

function started(table: readonly PublishedBackend[], changes: Partial<HealthSettings> = {}): Rig {
  const rig = new Rig();
  rig.monitor.configure({ ...SETTINGS, ...changes });
  rig.monitor.useBackends(table);
  rig.monitor.start();
  return rig;
}

describe('HealthMonitor', () => {
  it('asks nobody before it is started, and nobody without settings', () => {
    const rig = new Rig();
    rig.monitor.configure(SETTINGS);
    rig.monitor.useBackends(backends(3));
    rig.advanceTo(10_000);
    assert.equal(rig.asked, 0);
    rig.monitor.configure(null);
    rig.monitor.start();
    rig.advanceTo(20_000);
    assert.equal(rig.asked, 0);
    rig.monitor.configure(SETTINGS);
    rig.advanceTo(21_000);
    assert.equal(rig.asked, 3);
  });

  it('leaves alone whoever is not to be checked, also when that is new', () => {
    const rig = started(published(backend('b1'), { ...backend('b2'), isUnchecked: true }));
    rig.next(FAILED);
    rig.advanceTo(2 * INTERVAL_MS);
    assert.equal(rig.open.length, 1);
    rig.monitor.useBackends(published({ ...backend('b1'), isUnchecked: true }));
    assert.deepEqual([rig.open.length, rig.events.at(-1)], [0, 'forget 1']);
  });

  it('tells a change when the thresholds say so, and the first check at once', () => {
    const rig = started(backends(1));
    for (const outcome of [FAILED, PASSED, FAILED, PASSED, PASSED, FAILED, FAILED]) rig.next(outcome);
    assert.deepEqual(rig.events, ['b0@0 down tcp refused', 'b0@0 up tcp check succeeded']);
    rig.next(FAILED);
    assert.equal(rig.events[2], 'b0@0 down tcp refused');
  });

  it('asks as often as it may in one check, at once, and counts the check once', () => {
    const rig = started(backends(1), { attempts: 3, thresholds: { healthy: 1, unhealthy: 1 } });
    rig.next(PASSED);
    rig.advanceTo(rig.nowMs + INTERVAL_MS);
    const { atMs } = rig.open[0] ?? { atMs: -1 };
    rig.answer(FAILED);
    rig.answer(FAILED);
    assert.deepEqual([rig.open[0]?.atMs, rig.asked, rig.events], [rig.nowMs, 4, []]);
    rig.answer(PASSED);
    assert.deepEqual(rig.events, [], 'the third attempt saved the check');
    rig.advanceTo(atMs + INTERVAL_MS);
    for (let attempt = 0; attempt < 3; attempt++) rig.answer(FAILED);
    assert.deepEqual([rig.open.length, rig.events], [0, ['b0@0 down tcp refused']]);
    rig.monitor.stop();
  });

  it('does not ask again where it could not ask, and gives an attempt up like a check', () => {
    const rig = started(backends(1), { attempts: 5 });
    rig.next({ isUp: null, reason: 'EMFILE' });
    assert.equal(rig.open.length, 0);
    rig.next(FAILED);
    assert.equal(rig.open.length, 1);
    rig.monitor.configure(null);
    assert.equal(rig.open.length, 0);
  });

  it('tells how long each attempt took to connect, and of none that did not', () => {
    const rig = started(published(backend('b1')), { attempts: 2 });
    rig.next({ isUp: false, reason: 'refused' });
    rig.answer({ isUp: false, reason: 'status 503' }, 12);
    rig.next({ isUp: true }, 3);
    assert.deepEqual(rig.events, ['1 connected in 12 ms', 'b1@1 down tcp status 503', '1 connected in 3 ms']);
  });

  it('asks again an interval after the last start, however long the answer took, but never twice at a time', () => {
    const rig = started(backends(1));
    rig.advanceTo(10);
    const first = rig.open[0]?.atMs ?? -1;
    rig.advanceTo(first + 900);
    rig.answer(PASSED);
    rig.advanceTo(first + INTERVAL_MS);
    assert.equal(rig.open[0]?.atMs, first + INTERVAL_MS);
    rig.advanceTo(first + 5 * INTERVAL_MS);
    assert.equal(rig.asked, 2);
    rig.answer(PASSED);
    rig.advanceTo(rig.nowMs);
    assert.equal(rig.asked, 3);
  });

  it('has no more checks under way than it may, and asks first who has waited longest', () => {
    const table = Array.from({ length: 10 }, (_, index) => backend(`b${index}`, { port: 1 + index }));
    const rig = started(published(...table), { maxProbes: 3 });
    const ports: number[] = [];
    for (let answers = 0; answers < 30; answers++) {
      // A round of all takes 2 s: more than the interval.
      rig.advanceTo(5000 + answers * 200);
      assert.equal(rig.open.length, 3);
      ports.push(rig.open[0]?.probe.port ?? 0);
      rig.answer(PASSED);
    }
    for (const from of [0, 10, 20]) assert.equal(new Set(ports.slice(from, from + 10)).size, 10);
  });

  it('starts no more than 32 checks in a turn', () => {
    const rig = started(backends(100), { maxProbes: 1000 });
    rig.nowMs = 500;
    rig.advanceTo(500);
    assert.deepEqual([rig.asked, rig.mostPerTurn], [100, 32]);
  });

  it('makes first checks soon and spread, later ones a jittered interval apart', () => {
    const rig = started([]);
    const values = [0, 0.25, 0.75];
    for (const [index, value] of values.entries()) {
      rig.random = value;
      rig.monitor.useBackends(backends(index + 1));
    }
    rig.random = 0;
    rig.advanceTo(1);
    assert.equal(rig.asked, 3);
    for (let answers = 0; answers < 3; answers++) rig.answer(PASSED);
    rig.advanceTo(949);
    assert.equal(rig.asked, 3);
    rig.advanceTo(952);
    assert.equal(rig.asked, 6);
  });

  it('counts a check that could not be made for nothing', () => {
    const rig = started(backends(1));
    for (let checks = 0; checks < 5; checks++) rig.next({ isUp: null, reason: 'EMFILE' });
    assert.deepEqual(new Set(rig.events), new Set(['skip EMFILE']));
    rig.next(FAILED);
    assert.equal(rig.events.at(-1), 'b0@0 down tcp refused');
  });
});

describe('HealthMonitor, when the table changes', () => {
  it('asks who is new, and gives up who is gone, in the middle of a check too', () => {
    const rig = started(backends(2));
    rig.advanceTo(10);
    assert.equal(rig.open.length, 2);
    rig.monitor.useBackends(published(backend('b1'), backend('b2')));
    rig.advanceTo(20);
    assert.deepEqual([rig.open.length, rig.asked], [2, 3]);
    rig.monitor.useBackends([]);
    rig.advanceTo(20_000);
    assert.deepEqual([rig.open.length, rig.asked, rig.events.length], [0, 3, 0]);
  });

  it('tells that one that was down is not asked any more', () => {
    const rig = started(backends(2));
    rig.advanceTo(10);
    rig.answer(FAILED);
    rig.monitor.useBackends(published(backend('b1')));
    assert.deepEqual(rig.events, ['b0@0 down tcp refused', 'forget 0']);
  });

  it('takes the same id at another slot for another backend', () => {
    const rig = started([{ ...NO_POOL, slot: 4, backend: backend('b0') }]);
    rig.next(FAILED);
    rig.monitor.useBackends([{ ...NO_POOL, slot: 5, backend: backend('b0') }]);
    rig.next(FAILED);
    assert.deepEqual(rig.events, ['b0@4 down tcp refused', 'forget 4', 'b0@5 down tcp refused']);
  });

  it('lets nothing but what is asked start anew', () => {
    const rig = started(published(backend('b0')));
    for (const outcome of [PASSED, FAILED, FAILED]) rig.next(outcome);
    rig.monitor.useBackends(published(backend('b0', { weight: 7 })));
    rig.next(FAILED);
    assert.deepEqual(rig.events, ['b0@0 down tcp refused']);
    rig.monitor.useBackends(published(backend('b0', { overrides: { healthPort: 99 } })));
    assert.equal(rig.events.length, 1, 'it stays down until it is known better');
    rig.next(PASSED);
    assert.deepEqual(rig.events.slice(1), ['b0@0 up tcp check succeeded']);
  });

  it('asks as the row says', () => {
    const overrides = { healthPort: 99, healthType: 'http', healthPath: '/up', healthIntervalSecs: 0.2 } as const;
    const rig = started(published(backend('b0', { address: '2001:db8::1', overrides })));
    rig.advanceTo(10);
    const probe = rig.open[0]?.probe;
    assert.deepEqual([probe?.address, probe?.port, probe?.timeoutMs], ['2001:db8::1', 99, 500]);
    assert.match(probe?.exchange?.request ?? '', /^GET \/up HTTP\/1\.1\r\nHost: \[2001:db8::1\]:99\r\n/);
    rig.answer(PASSED);
    rig.advanceTo(215);
    assert.equal(rig.asked, 2);
  });
});

describe('HealthMonitor, when the settings change', () => {
  it('forgets everybody when it is switched off, and begins anew when it is on again', () => {
    const rig = started(backends(2));
    rig.next(FAILED);
    rig.monitor.configure(null);
    assert.deepEqual(rig.events.slice(1), ['forget 0']);
    rig.advanceTo(5000);
    assert.equal(rig.open.length, 0);
    rig.monitor.configure(SETTINGS);
    rig.next(PASSED);
    rig.next(FAILED);
    assert.equal(rig.events.at(-1), 'b1@1 down tcp refused');
  });

  it('goes by a shorter interval at once', () => {
    const rig = started(backends(1), { intervalMs: 3_600_000 });
    rig.advanceTo(3_600_000);
    rig.answer(PASSED);
    rig.monitor.configure({ ...SETTINGS, intervalMs: 100 });
    rig.advanceTo(3_600_110);
    assert.equal(rig.asked, 2);
  });

  it('lets the first answer to another question decide', () => {
    const rig = started(backends(1));
    rig.next(PASSED);
    rig.monitor.configure({ ...SETTINGS, type: 'http' });
    rig.next({ isUp: false, reason: 'status 500' });
    assert.deepEqual(rig.events, ['b0@0 down http status 500']);
    rig.monitor.configure({ ...SETTINGS, type: 'http', statuses: [{ first: 500, last: 500 }] });
    rig.next(PASSED);
    assert.equal(rig.events[1], 'b0@0 up http check succeeded');
  });

  it('says and asks nothing any more after stop(), twice too', () => {
    const rig = started(backends(2));
    rig.next(FAILED);
    rig.monitor.stop();
    rig.monitor.stop();
    rig.monitor.useBackends(backends(5));
    rig.monitor.configure(SETTINGS);
    rig.advanceTo(60_000);
    assert.deepEqual([rig.open.length, rig.events.length], [0, 1]);
  });
});
