/** Sums over all workers, living or dead: a worker's successor counts on in the same words, so a sum never falls. */
import type { ControlRegion } from './control-region.js';
import { ACCEPTOR, BACKEND, POOL_LINES, WORDS_PER_LINE, WORKER_ROW } from './layout.js';

const WORDS_PER_TOTAL = 2;

export class SharedTotals {
  readonly workers: number;
  readonly #region: ControlRegion;
  readonly #totals: BigUint64Array;

  constructor(region: ControlRegion) {
    this.#region = region;
    this.workers = region.capacity.workers;
    const { buffer, byteOffset } = region.words;
    this.#totals = new BigUint64Array(buffer, byteOffset, Math.floor(region.offsets.totalWords / WORDS_PER_TOTAL));
  }

  /** Of a 64-bit total: an offset in WORKER, for those by reason plus twice the reason's index. */
  total(offset: number): number {
    let sum = 0n;
    for (let worker = 0; worker < this.workers; worker++) sum += this.#at(this.#region.workerAt(worker) + offset);
    return Number(sum);
  }

  /** Of a 32-bit word that rises and falls. */
  gauge(offset: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) sum += this.ofWorker(worker, offset);
    return sum;
  }

  ofWorker(worker: number, offset: number): number {
    // Atomic for a whole value, here and below; one that is a moment old will do.
    return Atomics.load(this.#region.words, this.#region.workerAt(worker) + offset);
  }

  /** Those that were over their rate and that no worker has seen. */
  get refusedByAcceptor(): number {
    return Number(this.#at(this.#region.offsets.acceptor + ACCEPTOR.RATE_LIMITED));
  }

  /** Of a rule's line; wraps at 2^32. */
  ofPool(number: number, offset: number): number {
    const word = this.#region.offsets.pools + number * POOL_LINES * WORDS_PER_LINE + offset;
    return Atomics.load(this.#region.words, word) >>> 0;
  }

  backendActive(slot: number): number {
    return Atomics.load(this.#region.words, this.#region.backendAt(slot) + BACKEND.ACTIVE);
  }

  backendConnections(slot: number): number {
    let sum = 0n;
    for (let worker = 0; worker < this.workers; worker++)
      sum += this.#at(this.#region.rowAt(worker, slot) + WORKER_ROW.CONNECTIONS);
    return Number(sum);
  }

  /** By BACKEND_ERRORS. Each worker's part wraps at 2^32. */
  backendErrors(slot: number, error: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) {
      const word = this.#region.rowAt(worker, slot) + WORKER_ROW.ERRORS + error;
      sum += Atomics.load(this.#region.words, word) >>> 0;
    }
    return sum;
  }

  #at(word: number): bigint {
    return Atomics.load(this.#totals, word / WORDS_PER_TOTAL);
  }
}
