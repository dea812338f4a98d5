/**
 * When backends are checked. Without jitter backends that came with one table, or that time out together, would be
 * checked together for ever: by this proxy, and by all proxies of a POP that were started together.
 */

/** Share of an interval by which two gaps may differ: it stays the interval on average. */
const JITTER = 0.1;
/** First checks per millisecond, as far as the interval allows: soon, but not all at once. */
const FIRST_PER_MS = 1;

/** Delay of the first check of a backend that is one of `newBackends`; `random` is 0 to 1. In milliseconds. */
export function firstDelayMs(intervalMs: number, newBackends: number, random: number): number {
  return random * Math.min(intervalMs, newBackends / FIRST_PER_MS);
}

/** Time from the start of one check to the start of the next, in milliseconds. */
export function gapMs(intervalMs: number, random: number): number {
  return intervalMs * (1 + JITTER * (random - 0.5));
}
