/** A worker that lived this long had started well: its death is no reason to wait. */
const STABLE_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** Share of the delay that is random, so that workers felled by one cause do not return in step. */
const JITTER = 0.2;

/**
 * Delay before a dead worker's successor starts: none after a stable life, then 100 ms doubled with each death in a row,
 * at most 10 s.
 */
export class BackOff {
  #earlyDeaths = 0;

  /** `lifeMs`: how long the dead one lived; `random`: 0 to 1. Returns milliseconds. */
  nextDelayMs(lifeMs: number, random: number): number {
    this.#earlyDeaths = lifeMs >= STABLE_MS ? 0 : this.#earlyDeaths + 1;
    if (this.#earlyDeaths <= 1) return 0;
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** (this.#earlyDeaths - 2), MAX_DELAY_MS);
    return Math.round(delayMs * (1 - JITTER * random));
  }
}
