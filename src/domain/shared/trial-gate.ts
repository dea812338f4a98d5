/**
 * What the breaker of a backend says to one connection that has a place there. Asked after the reservation, whose atomics
 * make the look a fresh one: a connection goes on only where the breaker was closed then, whatever the batch knew of it.
 *
 * A half-open breaker lets as many trials through at a time as TRIALS of the health control says: those started may be so
 * many more than those that have succeeded. Exact over all workers, for a trial is taken by an exchange.
 */
import type { ControlRegion } from './control-region.js';
import { BACKEND, BREAKER_STATE, HEALTH_CONTROL, WORDS_PER_LINE } from './layout.js';

/** A trial's outcome decides over the breaker. */
export type Admission = 'normal' | 'trial' | 'refused';

export class TrialGate {
  readonly #words: Int32Array;
  readonly #backends: number;
  readonly #limitAt: number;

  constructor(region: ControlRegion) {
    this.#words = region.words;
    this.#backends = region.backendAt(0);
    this.#limitAt = region.offsets.healthControl + HEALTH_CONTROL.TRIALS;
  }

  /** Without Atomics.load, a call of 10 ns in Node 20: the reservation before it orders it. */
  isClosed(slot: number): boolean {
    return this.#words[this.#backends + slot * WORDS_PER_LINE + BACKEND.BREAKER] === BREAKER_STATE.CLOSED;
  }

  /** For a breaker that may not be closed. With `isPanic` nobody is refused. */
  admit(slot: number, isPanic: boolean): Admission {
    const words = this.#words;
    const line = this.#backends + slot * WORDS_PER_LINE;
    for (;;) {
      // The state before its counts: a breaker that became half-open anew meanwhile has set them back before that, so a
      // count exchanged here is one of the phase that is.
      const state = Atomics.load(words, line + BACKEND.BREAKER);
      if (state === BREAKER_STATE.CLOSED) return 'normal';
      const limit = (words[this.#limitAt] ?? 0) + Atomics.load(words, line + BACKEND.SUCCESSES);
      const started = Atomics.load(words, line + BACKEND.TRIALS);
      if (state === BREAKER_STATE.OPEN || started >= limit) return isPanic ? 'normal' : 'refused';
      // Fails where another worker took it: its success, so somebody always gets on.
      if (Atomics.compareExchange(words, line + BACKEND.TRIALS, started, started + 1) === started) return 'trial';
    }
  }
}
