/**
 * A rate limit in the numbers that the shared table counts in: GCRA, the virtual scheduling algorithm of ITU-T I.371 and
 * of the ATM Forum's Traffic Management Specification 4.0, section 4.4.2.
 *
 *     I = window ÷ max requests                 one connection is paid for after this time
 *     TAT' = max(now, TAT) + I                  the theoretical arrival time of the next one
 *     conforming: TAT' - now ≤ burst × I        else the client is over its rate, and TAT stays
 *
 * It is the token bucket of `burst` tokens, refilled at max requests ÷ window, in one number per client. In a time T a
 * client gets at most burst + T ÷ I connections.
 *
 * Times are 32-bit ticks on a ring, and I is a whole number of them: no rounding makes the rate another one. A tick is
 * never shorter than the clock's microsecond (the ring then takes 71 minutes), and as long as it must be for burst × I
 * to stay below an eighth of the ring.
 */

/** burst × I is at most this: 2^32 ticks are the ring, and a time within a quarter ahead counts as the future. */
const MOST_TICKS_AHEAD = 2 ** 29;
const MICROS_PER_SEC = 1_000_000;

export interface RateLimit {
  readonly maxRequests: number;
  readonly windowSecs: number;
  /** How many may come at once. */
  readonly burst: number;
}

export class RateRule {
  /** Microseconds, not a whole number. */
  readonly tickMicros: number;
  /** I. */
  readonly intervalTicks: number;
  /** Most that TAT may be ahead of now for another connection to conform: (burst - 1) × I. */
  readonly slackTicks: number;
  /** Differs between rules whose ticks differ: what one wrote means nothing to the other. */
  readonly fingerprint: number;

  constructor({ maxRequests, windowSecs, burst }: RateLimit) {
    // Beyond a million a second the clock could not tell two arrivals apart.
    const intervalMicros = Math.max((windowSecs * MICROS_PER_SEC) / maxRequests, 1);
    this.intervalTicks = Math.max(1, Math.floor(Math.min(intervalMicros, MOST_TICKS_AHEAD / burst)));
    this.tickMicros = intervalMicros / this.intervalTicks;
    this.slackTicks = (burst - 1) * this.intervalTicks;
    this.fingerprint = Math.imul(this.intervalTicks, 0x9e3779b1) ^ Math.imul(intervalMicros * 1000, 0x85ebca6b);
  }

  /**
   * The time in ticks. `secs` are whole seconds, `micros` the low 32 bits of the same time in microseconds (see CLOCK):
   * together they are exact for 68 years, so the ring has no seam where the microseconds wrap.
   */
  ticksAt(secs: number, micros: number): number {
    const wholeMicros = secs * MICROS_PER_SEC;
    return Math.floor((wholeMicros + ((micros - wholeMicros) >>> 0)) / this.tickMicros) | 0;
  }
}
