/**
 * One worker's places at the backends: a connection is counted in its backend's `active`, which is global and exact, and
 * in this worker's SHARE of it, which says what to give back when the worker dies.
 *
 *     PAIR_SEQUENCE odd → active ± 1 → SHARE ± 1 → PAIR_SEQUENCE even
 *
 * C++ releases in the same order on the same thread (native/engine/shared_counters.h), so the sequence has one writer.
 */
import type { ControlRegion } from './control-region.js';
import { BACKEND, WORDS_PER_LINE, WORKER, WORKER_ROW } from './layout.js';

/** The hard limit of a backend without one: the most that a word can count. */
export const UNLIMITED = 0x7fffffff;

export class Reservations {
  readonly #words: Int32Array;
  readonly #sequenceAt: number;
  readonly #activeAt: number;
  readonly #shareAt: number;

  constructor(region: ControlRegion, worker: number) {
    this.#words = region.words;
    this.#sequenceAt = region.workerAt(worker) + WORKER.PAIR_SEQUENCE;
    this.#activeAt = region.backendAt(0) + BACKEND.ACTIVE;
    this.#shareAt = region.rowAt(worker, 0) + WORKER_ROW.SHARE;
  }

  /** Takes a place; false where all `hardLimit` places are taken. Exact over all workers, allocates nothing. */
  reserve(slot: number, hardLimit: number): boolean {
    const words = this.#words;
    const activeAt = this.#activeAt + slot * WORDS_PER_LINE;
    // Odd before the first change: the primary, finding it odd or changed, throws its sum away.
    Atomics.add(words, this.#sequenceAt, 1);
    const isReserved = raiseBelow(words, activeAt, hardLimit);
    // After `active`, so that a worker never claims to hold more than it took.
    if (isReserved) Atomics.add(words, this.#shareAt + slot * WORDS_PER_LINE, 1);
    // Even after the last change: from here on the pair agrees again.
    Atomics.add(words, this.#sequenceAt, 1);
    return isReserved;
  }

  /** Gives a place back. Only for a slot that this worker holds a place of. */
  release(slot: number): void {
    const words = this.#words;
    // The same bracket as above, for the same reason.
    Atomics.add(words, this.#sequenceAt, 1);
    Atomics.sub(words, this.#activeAt + slot * WORDS_PER_LINE, 1);
    Atomics.sub(words, this.#shareAt + slot * WORDS_PER_LINE, 1);
    Atomics.add(words, this.#sequenceAt, 1);
  }
}

/**
 * Adds 1 unless the word has reached `limit`. A plain add and a later correction would show the other workers a place
 * taken that nobody got; the exchange succeeds only on the value that was compared. Each failed turn is another worker's
 * success, so somebody always gets on.
 */
function raiseBelow(words: Int32Array, at: number, limit: number): boolean {
  let seen = words[at] ?? 0;
  while (seen < limit) {
    const found = Atomics.compareExchange(words, at, seen, seen + 1);
    if (found === seen) return true;
    seen = found;
  }
  return false;
}
