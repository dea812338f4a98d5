import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Coalesced } from '../../src/application/coalesced.js';

interface Rig {
  readonly coalesced: Coalesced;
  readonly runs: (() => void)[];
  readonly rests: { readonly delayMs: number; readonly end: () => void }[];
  readonly pass: (ms: number) => void;
}

/** Each run ends when the test says so. */
function rig(): Rig {
  const runs: (() => void)[] = [];
  const rests: { delayMs: number; end: () => void }[] = [];
  let nowMs = 0;
  const coalesced = new Coalesced({
    run: () => new Promise<void>((resolve) => runs.push(resolve)),
    nowMs: () => nowMs,
    schedule: (end, delayMs) => {
      rests.push({ delayMs, end });
      return () => undefined;
    },
  });
  return { coalesced, runs, rests, pass: (ms) => (nowMs += ms) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Coalesced', () => {
  it('runs at once for the first, and once more for all who come before it has rested', async () => {
    const { coalesced, runs, rests } = rig();
    const first = coalesced.request();
    const later = [coalesced.request(), coalesced.request()];
    assert.equal(runs.length, 1);
    runs[0]?.();
    await first;
    const resting = coalesced.request();
    await turn();
    assert.equal(runs.length, 1);
    rests[0]?.end();
    await turn();
    assert.equal(runs.length, 2);
    runs[1]?.();
    await Promise.all([...later, resting]);
  });

  it('rests longer after what took longer, within bounds', async () => {
    for (const [tookMs, restMs] of [
      [1, 100],
      [100, 200],
      [60_000, 1000],
    ] as const) {
      const { coalesced, runs, rests, pass } = rig();
      const done = coalesced.request();
      pass(tookMs);
      runs[0]?.();
      await done;
      assert.equal(rests[0]?.delayMs, restMs);
    }
  });

  it('lets nobody wait who waits when it is stopped', async () => {
    const { coalesced, runs } = rig();
    const first = coalesced.request();
    const second = coalesced.request();
    runs[0]?.();
    await first;
    coalesced.stop();
    coalesced.stop();
    await second;
    await coalesced.request();
    assert.equal(runs.length, 1);
  });
});
