import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EpisodeLimit } from '../../src/domain/overload/episode-limit.js';
import { STALL_AFTER_MS, StallWatch, TURN_MS, type Verdict } from '../../src/domain/overload/stall-watch.js';
import { fc } from '../support/fast-check.js';

const LIMIT_MS = 10_000;
const START_MS = 60_000;

/** A watch over one worker, and the clock that both live by. */
class Rig {
  readonly watch = new StallWatch();
  nowMs = 1_000;
  pid = 7;
  beat = 0;
  isReady = true;

  constructor(limitMs = LIMIT_MS) {
    this.watch.configure(limitMs);
    this.turn();
  }

  /** One turn after so much time, in which the worker has beaten or not. */
  turn(hasBeaten = false, passedMs = TURN_MS): Verdict {
    this.nowMs += passedMs;
    if (hasBeaten) this.beat = (this.beat + 1) | 0;
    this.watch.turn(this.nowMs);
    return this.watch.look({ index: 0, pid: this.pid, beat: this.beat, isReady: this.isReady });
  }

  /** Silent turns until something is said; how much time has passed then. */
  silence(mostMs = 1_000_000): { verdict: Verdict; afterMs: number } {
    const fromMs = this.nowMs;
    let verdict: Verdict = 'unchanged';
    while (verdict === 'unchanged' && this.nowMs - fromMs < mostMs) verdict = this.turn();
    return { verdict, afterMs: this.nowMs - fromMs };
  }
}

describe('the watch over heartbeats', () => {
  it('says that a worker is stalled after a second, and that it has expired after the limit, once each', () => {
    const rig = new Rig();
    assert.deepEqual(rig.silence(), { verdict: 'stalled', afterMs: STALL_AFTER_MS });
    assert.deepEqual(rig.silence(), { verdict: 'expired', afterMs: LIMIT_MS - STALL_AFTER_MS });
    assert.equal(rig.silence(100_000).verdict, 'unchanged');
  });

  it('says that it is resumed at its first beat, and begins anew', () => {
    const rig = new Rig();
    rig.silence();
    assert.equal(rig.turn(true), 'resumed');
    assert.equal(rig.turn(true), 'unchanged');
    assert.deepEqual(rig.silence(), { verdict: 'stalled', afterMs: STALL_AFTER_MS });
  });

  it('never gives up a worker without a limit, and none before it is stalled', () => {
    const endless = new Rig(Infinity);
    assert.equal(endless.silence().verdict, 'stalled');
    assert.equal(endless.silence(1_000_000).verdict, 'unchanged');
    const hasty = new Rig(1);
    assert.deepEqual(hasty.silence(), { verdict: 'stalled', afterMs: STALL_AFTER_MS });
    assert.deepEqual(hasty.silence(), { verdict: 'expired', afterMs: TURN_MS });
  });

  it('takes another limit at once', () => {
    const rig = new Rig();
    rig.silence();
    rig.silence(5_000);
    rig.watch.configure(2_000);
    assert.equal(rig.turn(), 'expired');
  });

  it('gives a worker that starts more time, and does not call it stalled', () => {
    const rig = new Rig();
    rig.isReady = false;
    assert.deepEqual(rig.silence(), { verdict: 'expired', afterMs: START_MS });
    const patient = new Rig(2 * START_MS);
    patient.isReady = false;
    assert.deepEqual(patient.silence(), { verdict: 'expired', afterMs: 2 * START_MS });
    const endless = new Rig(Infinity);
    endless.isReady = false;
    assert.equal(endless.silence().verdict, 'unchanged');
  });

  it('knows nothing of a successor that its predecessor has done', () => {
    const rig = new Rig();
    rig.silence();
    rig.silence();
    rig.pid++;
    assert.equal(rig.turn(), 'unchanged');
    assert.deepEqual(rig.silence(), { verdict: 'stalled', afterMs: STALL_AFTER_MS });
  });

  it('starts counting anew after a pause of its own, however long', () => {
    fc.assert(
      fc.property(fc.integer({ min: STALL_AFTER_MS, max: 100_000_000 }), fc.nat(30), (pauseMs, silentTurns) => {
        const rig = new Rig();
        for (let turn = 0; turn < silentTurns; turn++) rig.turn();
        assert.equal(rig.turn(false, pauseMs), 'unchanged');
        const fromMs = rig.nowMs;
        let { verdict } = rig.silence();
        if (verdict === 'stalled') verdict = rig.silence().verdict;
        assert.deepEqual({ verdict, afterMs: rig.nowMs - fromMs }, { verdict: 'expired', afterMs: LIMIT_MS });
      }),
    );
  });

  it('never gives up a worker that beats at least once in each second of the watch, whatever its turns are like', () => {
    const turns = fc.array(fc.record({ passedMs: fc.integer({ min: 1, max: 5_000 }), beats: fc.boolean() }));
    fc.assert(
      fc.property(turns, (given) => {
        const rig = new Rig(STALL_AFTER_MS);
        let silent = 0;
        for (const { passedMs, beats } of given) {
          const hasBeaten = beats || silent === 1;
          silent = hasBeaten ? 0 : silent + 1;
          assert.equal(rig.turn(hasBeaten, passedMs), 'unchanged');
        }
      }),
    );
  });

  it('says expired only of whom it has called stalled, resumed too, and measures no silence longer than it was', () => {
    const turns = fc.array(fc.record({ passedMs: fc.integer({ min: 1, max: 1_500 }), beats: fc.boolean() }));
    fc.assert(
      fc.property(turns, fc.integer({ min: 1, max: 5_000 }), (given, limitMs) => {
        const rig = new Rig(limitMs);
        let isStalled = false;
        let lastBeatMs = rig.nowMs;
        for (const { passedMs, beats } of given) {
          const verdict = rig.turn(beats, passedMs);
          if (beats) lastBeatMs = rig.nowMs;
          assert.ok(rig.watch.silentMs(0) <= rig.nowMs - lastBeatMs);
          if (verdict === 'expired' || verdict === 'resumed') assert.ok(isStalled);
          if (verdict === 'expired') assert.ok(rig.nowMs - lastBeatMs >= Math.max(limitMs, STALL_AFTER_MS));
          if (verdict !== 'unchanged') isStalled = verdict !== 'resumed';
        }
      }),
    );
  });
});

describe('the limit of what is told', () => {
  it('tells an episode in ten seconds, its end where the begin was told, and how many were not', () => {
    const limit = new EpisodeLimit();
    assert.equal(limit.begin(0), 0);
    assert.equal(limit.end(), true);
    for (let ms = 1000; ms < 10_000; ms += 1000) {
      assert.equal(limit.begin(ms), null);
      assert.equal(limit.end(), false);
    }
    assert.equal(limit.begin(10_000), 9);
    assert.equal(limit.end(), true);
    assert.equal(limit.end(), false);
  });

  it('never tells more than one begin in ten seconds, and forgets none', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000)), (gaps) => {
        const limit = new EpisodeLimit();
        let nowMs = 0;
        let counted = 0;
        let pending = 0;
        let lastMs = -Infinity;
        for (const gapMs of gaps) {
          nowMs += gapMs;
          const untold = limit.begin(nowMs);
          if (untold === null) {
            pending++;
            continue;
          }
          assert.ok(nowMs - lastMs >= 10_000);
          lastMs = nowMs;
          counted += untold + 1;
          pending = 0;
        }
        assert.equal(counted + pending, gaps.length);
      }),
    );
  });
});
