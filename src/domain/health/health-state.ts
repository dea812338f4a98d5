/** Checks in a row that it takes to change a backend's state. */
export interface Thresholds {
  /** That must succeed before a backend that is down is up. */
  readonly healthy: number;
  /** That must fail before a backend that is up is down. */
  readonly unhealthy: number;
}

/**
 * Whether one backend is up, by its checks.
 *
 *           unhealthy failures in a row
 *     UP ────────────────────────────────► DOWN      the first check after the start, or after restart(),
 *      ◄────────────────────────────────             decides alone: nobody knows better yet
 *           healthy successes in a row
 */
export class HealthState {
  #isUp = true;
  #isDecided = false;
  /** Results in a row that speak against the state. */
  #against = 0;

  /** A backend that was never checked is up. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Takes the result of a check; tells whether the state has changed by it. */
  record(isSuccess: boolean, { healthy, unhealthy }: Thresholds): boolean {
    if (isSuccess === this.#isUp) {
      this.#against = 0;
      this.#isDecided = true;
      return false;
    }
    const needed = this.#isDecided ? (this.#isUp ? unhealthy : healthy) : 1;
    this.#isDecided = true;
    this.#against++;
    if (this.#against < needed) return false;
    this.#isUp = isSuccess;
    this.#against = 0;
    return true;
  }

  /** What is checked has changed: the state stays, and the next check decides alone. */
  restart(): void {
    this.#isDecided = false;
    this.#against = 0;
  }
}
