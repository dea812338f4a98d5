import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackOff } from '../../src/domain/back-off.js';
import { fc } from '../support/fast-check.js';

const SHORT_MS = 50;
const STABLE_MS = 10_000;
const NO_JITTER = 0;

function delaysOf(lives: readonly number[], random = NO_JITTER): number[] {
  const backOff = new BackOff();
  return lives.map((lifeMs) => backOff.nextDelayMs(lifeMs, random));
}

describe('the back-off before a dead worker has a successor', () => {
  it('does not wait after a first early death', () => {
    assert.deepEqual(delaysOf([SHORT_MS]), [0]);
  });

  it('doubles from 100 ms with each early death in a row, up to 10 s', () => {
    const delays = delaysOf(new Array<number>(12).fill(SHORT_MS));
    assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000]);
  });

  it('starts over after a stable life', () => {
    assert.deepEqual(delaysOf([SHORT_MS, SHORT_MS, SHORT_MS, STABLE_MS, SHORT_MS, SHORT_MS]), [0, 100, 200, 0, 0, 100]);
  });

  it('takes a life just below the limit as an early death', () => {
    assert.deepEqual(delaysOf([STABLE_MS - 1, STABLE_MS - 1]), [0, 100]);
  });

  it('takes up to a fifth off, so that workers felled together do not return in step', () => {
    assert.deepEqual(delaysOf([SHORT_MS, SHORT_MS, SHORT_MS], 1), [0, 80, 160]);
  });

  it('stays between nothing and 10 s, a whole number, however long a worker keeps dying', () => {
    const life = fc.nat(2 * STABLE_MS);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(life, fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 2000 }),
        (deaths) => {
          const backOff = new BackOff();
          for (const [lifeMs, random] of deaths) {
            const delayMs = backOff.nextDelayMs(lifeMs, random);
            assert.ok(Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= 10_000, `${delayMs} ms`);
          }
        },
      ),
    );
  });
});
