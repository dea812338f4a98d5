/**
 * Sums over all workers, living or dead, and over what older versions have counted: a worker's successor counts on in the same
 * words, so a sum never falls.
 */
import type { ControlRegion } from './control-region.js';
import { ACCEPTOR, BACKEND, HISTOGRAM, PRIMARY, WORKER_ROW, WORDS_PER_TOTAL } from './layout.js';
import { readTotal } from './total-word.js';

/** What was observed, in the unit of its bounds. */
export interface HistogramTotals {
  /** For each bound those above the one before, then those above all; not added up. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export class SharedTotals {
  readonly workers: number;
  readonly #region: ControlRegion;
  readonly #words: Int32Array;
  readonly #blocks: readonly number[];

  constructor(region: ControlRegion) {
    this.#region = region;
    this.#words = region.words;
    this.workers = region.capacity.workers;
    this.#blocks = region.blocks();
  }

  /** Of a 64-bit total: an offset in WORKER, for those by reason plus twice the reason's index. */
  total(offset: number): number {
    return this.#blocks.reduce((sum, block) => sum + readTotal(this.#words, block + offset), 0);
  }

  /** At an offset in WORKER; `bounds` is how many bounds it has. */
  histogram(offset: number, bounds: number): HistogramTotals {
    const counts = Array.from({ length: bounds + 1 }, (_, bucket) =>
      this.total(offset + HISTOGRAM.COUNTS + WORDS_PER_TOTAL * bucket),
    );
    return { counts, sum: this.total(offset + HISTOGRAM.SUM) };
  }

  /** Of a 32-bit word that rises and falls. */
  gauge(offset: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) sum += this.ofWorker(worker, offset);
    return sum;
  }

  ofWorker(worker: number, offset: number): number {
    // Atomic for a whole value, here and below; one that is a moment old will do.
    return Atomics.load(this.#words, this.#region.workerAt(worker) + offset);
  }

  /** Of the primary's line, by an offset in PRIMARY. */
  ofPrimary(offset: number): number {
    return readTotal(this.#words, this.#region.offsets.primary + offset);
  }

  /** By ROUTING_READS. */
  routingReads(result: number): number {
    return this.ofPrimary(PRIMARY.ROUTING_READS + WORDS_PER_TOTAL * result);
  }

  /** Those that were over their rate and that no worker has seen. */
  get refusedByAcceptor(): number {
    return readTotal(this.#words, this.#region.offsets.acceptor + ACCEPTOR.RATE_LIMITED);
  }

  /** Of a rule's line; wraps at 2^32. */
  ofPool(number: number, offset: number): number {
    return Atomics.load(this.#words, this.#region.poolAt(number) + offset) >>> 0;
  }

  backendActive(slot: number): number {
    return Atomics.load(this.#words, this.#region.backendAt(slot) + BACKEND.ACTIVE);
  }

  backendConnections(slot: number): number {
    return this.#ofRows(slot, (row) => readTotal(this.#words, row + WORKER_ROW.CONNECTIONS));
  }

  /** By BACKEND_ERRORS. Each worker's part wraps at 2^32. */
  backendErrors(slot: number, error: number): number {
    return this.#ofRows(slot, (row) => Atomics.load(this.#words, row + WORKER_ROW.ERRORS + error) >>> 0);
  }

  /** Of connects that succeeded, in microseconds; `bounds` is how many bounds there are. */
  connectTimes(slot: number, bounds: number): HistogramTotals {
    const at = this.#region.connectTimesAt(slot);
    const counts: number[] = [];
    for (let bucket = 0; bucket <= bounds; bucket++)
      counts.push(readTotal(this.#words, at + HISTOGRAM.COUNTS + WORDS_PER_TOTAL * bucket));
    return { counts, sum: readTotal(this.#words, at + HISTOGRAM.SUM) };
  }

  #ofRows(slot: number, read: (row: number) => number): number {
    let sum = read(this.#region.inheritedRowAt(slot));
    for (let worker = 0; worker < this.workers; worker++) sum += read(this.#region.rowAt(worker, slot));
    return sum;
  }
}
