/**
 * Rate limiting: when each client may come again, one bucket for all workers. Set-associative, bounded, written by every
 * worker without a lock.
 *
 *     entry:  TAG 32 hash bits, 0 = never used │ ARRIVAL theoretical arrival time in ticks (see RateRule)
 *
 * A connection is paid for by one compare-and-swap of ARRIVAL, so eight workers together admit what one would. A bucket
 * whose ARRIVAL has passed is full, as a client's is that was never seen: it is free for any other client, and changing
 * TAG is all it takes. Nothing has to be repaired after a process that was killed between any two instructions.
 *
 * Where all buckets of a set are in use, the client that has waited longest loses his (and starts afresh when he comes
 * back). Only one race is not exact: where an idle client comes back in the instant in which his bucket is given to
 * another one, one of the two pays for the other's connection.
 *
 * ARRIVAL is compared by the sign of its 32-bit difference from now; sweep() moves old ones along before they would look
 * like the future. What is further ahead than any rule allows was written by another rule, and counts as passed.
 */
import type { RateRule } from '../admission/rate-rule.js';
import type { ClientKey } from './client-key.js';
import type { ControlRegion } from './control-region.js';
import { RATE, RATE_WAYS, RATE_WORDS } from './layout.js';

const SET_WORDS = RATE_WAYS * RATE_WORDS;
/** Twice what a rule can be ahead, so that a process whose clock was read a moment earlier than another's is right too. */
const FUTURE_TICKS = 2 ** 30;
/** Where sweep() moves what is older than that or makes no sense: idle for every process, however late its clock. */
const REST_TICKS = 2 ** 28;
/** Each failed turn is a change by another worker; this many in a row are a table written by something else. */
const MAX_TURNS = 1000;

export class RateTable {
  readonly sets: number;
  readonly #words: Int32Array;
  readonly #start: number;

  constructor(region: ControlRegion) {
    this.#words = region.words;
    this.#start = region.offsets.rates;
    this.sets = region.capacity.rateSets;
  }

  /** Whether the client may connect now; if so, it is paid for. Allocates nothing. */
  take(key: ClientKey, rule: RateRule, nowTicks: number): boolean {
    const words = this.#words;
    const tag = tagOf(key, rule);
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      const entry = this.#entryOf(key, tag, nowTicks);
      if (entry < 0) continue;
      const seen = Atomics.load(words, entry + RATE.ARRIVAL);
      const aheadTicks = ticksAhead(seen, nowTicks);
      if (aheadTicks > rule.slackTicks) return false;
      const arrival = (nowTicks + aheadTicks + rule.intervalTicks) | 0;
      // Exchanged only if nobody has paid meanwhile: two workers never pay with the same token.
      if (Atomics.compareExchange(words, entry + RATE.ARRIVAL, seen, arrival) !== seen) continue;
      // After the exchange: still this client's, so whoever gives the bucket away now finds it in use.
      if (Atomics.load(words, entry + RATE.TAG) === tag) return true;
    }
    return true;
  }

  /** Moves along what has long passed in the sets `from` up to but without `to`. At least once in 2^29 ticks. */
  sweep(nowTicks: number, from = 0, to = this.sets): void {
    const words = this.#words;
    const end = this.#start + Math.min(to, this.sets) * SET_WORDS;
    for (let entry = this.#start + from * SET_WORDS; entry < end; entry += RATE_WORDS) {
      const seen = words[entry + RATE.ARRIVAL] ?? 0;
      const ahead = (seen - nowTicks) | 0;
      if (ahead >= -2 * REST_TICKS && ahead <= FUTURE_TICKS) continue;
      // Exchanged, not stored: a client that came back after the look above has paid.
      Atomics.compareExchange(words, entry + RATE.ARRIVAL, seen, (nowTicks - REST_TICKS) | 0);
    }
  }

  /** The client's bucket, made where there is none; -1 where another worker was quicker. */
  #entryOf(key: ClientKey, tag: number, nowTicks: number): number {
    const words = this.#words;
    const first = this.#start + (key.set & (this.sets - 1)) * SET_WORDS;
    let victim = first;
    let leastAhead = Infinity;
    for (let entry = first; entry < first + SET_WORDS; entry += RATE_WORDS) {
      if (words[entry + RATE.TAG] === tag) return entry;
      const ahead = ticksAhead(words[entry + RATE.ARRIVAL] ?? 0, nowTicks);
      if (ahead >= leastAhead) continue;
      leastAhead = ahead;
      victim = entry;
    }
    return this.#give(victim, leastAhead, tag, nowTicks);
  }

  /**
   * All workers give away the same bucket of a set, the first with the least ARRIVAL, so only one of them can. `seenAhead`
   * is what it was chosen for: where it is another now, somebody uses it, and there may be a free one.
   */
  #give(entry: number, seenAhead: number, tag: number, nowTicks: number): number {
    const words = this.#words;
    const owner = Atomics.load(words, entry + RATE.TAG);
    if (owner === tag) return entry;
    const arrival = Atomics.load(words, entry + RATE.ARRIVAL);
    if (ticksAhead(arrival, nowTicks) !== seenAhead) return -1;
    if (Atomics.compareExchange(words, entry + RATE.TAG, owner, tag) !== owner) return -1;
    // Before anything is paid here: a worker that was quicker with another bucket has its TAG in place by now.
    if (this.#isElsewhere(entry, tag)) {
      Atomics.compareExchange(words, entry + RATE.TAG, tag, 0);
      return -1;
    }
    // Full for its new client. Where somebody has paid meanwhile it stays as it is: it may have been this client's worker.
    if (seenAhead > 0) Atomics.compareExchange(words, entry + RATE.ARRIVAL, arrival, nowTicks);
    return entry;
  }

  /** Whether another bucket of the same set has this client's TAG. */
  #isElsewhere(own: number, tag: number): boolean {
    const first = own - ((own - this.#start) % SET_WORDS);
    for (let entry = first; entry < first + SET_WORDS; entry += RATE_WORDS) {
      if (entry !== own && Atomics.load(this.#words, entry + RATE.TAG) === tag) return true;
    }
    return false;
  }
}

/** 0 where the time has passed. */
function ticksAhead(arrival: number, nowTicks: number): number {
  const ahead = (arrival - nowTicks) | 0;
  return ahead > 0 && ahead <= FUTURE_TICKS ? ahead : 0;
}

/** Another rule's buckets are strangers'; 0 is nobody's. */
function tagOf(key: ClientKey, rule: RateRule): number {
  const tag = key.tag ^ rule.fingerprint;
  return tag === 0 ? 1 : tag;
}
