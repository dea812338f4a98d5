/**
 * A worker's own copy of the live routing table: compared with the generation once per batch, copied when it is new.
 *
 * Every word is read with Atomics.load: a plain read may be moved past the second look at the sequence on some
 * processors, and the copy is made only when something changed.
 */
import type { ControlRegion } from './control-region.js';
import { ROUTE_LINES, ROUTES_AT, ROUTES_CONTROL, ROUTES_HEADER, WORDS_PER_LINE, WORKER } from './layout.js';
import { RouteTable } from './route-table.js';

/** Copies tried per batch. One fails only where the primary publishes twice while it is made (15 µs for 1,000 backends). */
const MAX_TRIES = 16;

export class RoutesReader {
  /** What route() chooses by; the same object for good, refilled between batches. */
  readonly table: RouteTable;
  readonly #words: Int32Array;
  readonly #tables: readonly [number, number];
  readonly #backends: number;
  readonly #generationAt: number;
  readonly #liveAt: number;
  readonly #sequenceAt: number;
  readonly #batchAt: number;
  readonly #copy: Int32Array;
  #generation = 0;

  constructor(region: ControlRegion, worker: number) {
    const { routesControl, routes } = region.offsets;
    this.#words = region.words;
    this.#tables = routes;
    this.#backends = region.capacity.backends;
    this.#generationAt = routesControl + ROUTES_CONTROL.GENERATION;
    this.#liveAt = routesControl + ROUTES_CONTROL.LIVE;
    this.#sequenceAt = routesControl + ROUTES_CONTROL.SEQUENCE;
    this.#batchAt = region.workerAt(worker) + WORKER.BATCH_GENERATION;
    this.#copy = new Int32Array(ROUTES_AT + this.#backends * ROUTE_LINES * WORDS_PER_LINE);
    this.table = new RouteTable(this.#backends, region.backendAt(0));
  }

  /** Begins a batch: from here to leave() the table stays as it is, and no slot in it gets another owner. */
  enter(): void {
    // Before GENERATION is loaded. The primary publishes, then looks here: either it finds this store and takes no slot
    // away, or the load below finds the generation that it published.
    Atomics.store(this.#words, this.#batchAt, this.#generation);
    const generation = Atomics.load(this.#words, this.#generationAt);
    if (generation !== this.#generation) this.#refresh(generation);
  }

  /** Ends the batch. After the last reservation: the primary then takes a removed slot away only when nobody holds it. */
  leave(): void {
    Atomics.store(this.#words, this.#batchAt, 0);
  }

  /** Where no copy succeeds, the old table serves this batch. */
  #refresh(first: number): void {
    let generation = first;
    // What enter() stored stays for this batch: older than the new table, so the primary is only more careful. But 0,
    // before the first table, would mean that no batch is under way.
    if (this.#generation === 0) Atomics.store(this.#words, this.#batchAt, generation);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (this.#copyLive()) {
        this.#generation = generation;
        return;
      }
      generation = Atomics.load(this.#words, this.#generationAt);
    }
  }

  /** Copies the live table and takes it over where it was not written meanwhile. */
  #copyLive(): boolean {
    const words = this.#words;
    // After GENERATION: the table found is that generation's or a newer one's.
    const live = Atomics.load(words, this.#liveAt) === 0 ? 0 : 1;
    const sequence = Atomics.load(words, this.#sequenceAt + live);
    if ((sequence & 1) !== 0) return false;
    const from = this.#tables[live];
    // Bounded: nothing in the table can make this read beyond it.
    const count = Math.min(Math.max(Atomics.load(words, from + ROUTES_HEADER.COUNT), 0), this.#backends);
    const length = ROUTES_AT + count * ROUTE_LINES * WORDS_PER_LINE;
    const copy = this.#copy;
    for (let word = 0; word < length; word++) copy[word] = Atomics.load(words, from + word);
    // After the last word of the copy: unchanged means that no word of it was written since the first look.
    if (Atomics.load(words, this.#sequenceAt + live) !== sequence) return false;
    this.table.fill(copy, count);
    return true;
  }
}
