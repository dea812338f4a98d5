/**
 * What an older version has counted, carried over into the region of a newer one: its totals when the newer one starts, and
 * what it goes on counting for the clients that it drains. Nothing is asked of the older version, which may be killed at any
 * moment: its memory is read again and again, and what has been added since the last time is added here. Backends and rules
 * are found by their ids.
 *
 * Only this writes the inherited block and rows of `to`. Connect times, rules and the primary's own line have other writers,
 * too: there, as everywhere here, the add is atomic.
 */
import type { ControlRegion } from './control-region.js';
import {
  ACCEPTOR,
  BACKEND,
  BACKEND_ERRORS,
  END_REASONS,
  HISTOGRAM_LINES,
  MAX_POOLS,
  POOL,
  PRIMARY,
  REJECT_REASONS,
  ROUTING_READS,
  WORDS_PER_LINE,
  WORKER,
  WORKER_ROW,
  WORDS_PER_TOTAL,
} from './layout.js';
import { readTotal } from './total-word.js';

const HISTOGRAM_TOTALS = (HISTOGRAM_LINES * WORDS_PER_LINE) / WORDS_PER_TOTAL;

/** Words of all 64-bit totals of a worker's block. */
const OF_BLOCK: readonly number[] = [
  ...[WORKER.ACCEPTED, WORKER.BYTES_TO_CLIENTS, WORKER.BYTES_FROM_CLIENTS, WORKER.SPLICE_FALLBACKS],
  ...[WORKER.WARM_TAKEN, WORKER.WARM_MISSED],
  ...[WORKER.DATAGRAMS_TO_CLIENTS, WORKER.DATAGRAMS_FROM_CLIENTS, WORKER.DATAGRAMS_DROPPED],
  ...totalsFrom(WORKER.REJECTED, REJECT_REASONS.length),
  ...totalsFrom(WORKER.ENDED, END_REASONS.length),
  ...totalsFrom(WORKER.DURATIONS, HISTOGRAM_TOTALS),
  ...totalsFrom(WORKER.BYTES, HISTOGRAM_TOTALS),
  ...totalsFrom(WORKER.DECISIONS, HISTOGRAM_TOTALS),
];
const OF_PRIMARY = [
  PRIMARY.WORKER_RESTARTS,
  PRIMARY.ACCESS_LOG_DROPS,
  ...totalsFrom(PRIMARY.ROUTING_READS, ROUTING_READS.length),
];
const OF_ROW = [WORKER_ROW.CONNECTIONS, WORKER_ROW.BYTES_TO_CLIENTS, WORKER_ROW.BYTES_FROM_CLIENTS];
const RATE_LIMITED = WORKER.REJECTED + WORDS_PER_TOTAL * REJECT_REASONS.indexOf('rate_limited');
const PER_SLOT = OF_ROW.length + BACKEND_ERRORS.length + HISTOGRAM_TOTALS;

export class InheritedTotals {
  readonly #from: ControlRegion;
  readonly #to: ControlRegion;
  readonly #totals: BigUint64Array;
  /** What of each has been carried over. */
  readonly #ofBlock = new Float64Array(OF_BLOCK.length);
  readonly #ofPrimary = new Float64Array(OF_PRIMARY.length);
  readonly #ofAcceptor = new Float64Array(1);
  readonly #ofSlots: Float64Array;
  readonly #ofPools = new Uint32Array(MAX_POOLS * 2);
  /** Whose that is; a slot and a rule's number may go to another. */
  readonly #slotIds: Float64Array;
  readonly #poolIds = new Float64Array(MAX_POOLS);

  constructor(from: ControlRegion, to: ControlRegion) {
    this.#from = from;
    this.#to = to;
    const { buffer, byteOffset } = to.words;
    this.#totals = new BigUint64Array(buffer, byteOffset, Math.floor(to.offsets.totalWords / WORDS_PER_TOTAL));
    this.#ofSlots = new Float64Array(from.capacity.backends * PER_SLOT);
    this.#slotIds = new Float64Array(from.capacity.backends);
  }

  /** What has been counted since the last call. Of a backend that is not there (yet) nothing is, nor is it lost. */
  carry(): void {
    const { acceptor, primary } = this.#from.offsets;
    const blocks = this.#from.blocks();
    for (const [place, offset] of OF_BLOCK.entries()) {
      const now = blocks.reduce((sum, block) => sum + readTotal(this.#from.words, block + offset), 0);
      this.#add(this.#to.offsets.inherited + offset, rise(this.#ofBlock, place, now));
    }
    const refused = rise(this.#ofAcceptor, 0, readTotal(this.#from.words, acceptor + ACCEPTOR.RATE_LIMITED));
    for (const offset of [WORKER.ACCEPTED, RATE_LIMITED]) this.#add(this.#to.offsets.inherited + offset, refused);
    for (const [place, offset] of OF_PRIMARY.entries()) {
      const now = readTotal(this.#from.words, primary + offset);
      this.#add(this.#to.offsets.primary + offset, rise(this.#ofPrimary, place, now));
    }
    this.#carryBackends();
    this.#carryRules();
  }

  #carryBackends(): void {
    const slotOf = idsOf(this.#to, backendIdAt, this.#to.capacity.backends);
    for (let slot = 0; slot < this.#from.capacity.backends; slot++) {
      const id = idAt(this.#from, backendIdAt(this.#from, slot));
      const target = slotOf.get(id);
      if (target === undefined) continue;
      const now = this.#readSlot(slot);
      // Taken away before its totals are reset for the next owner: who still has it has read its own.
      if (idAt(this.#from, backendIdAt(this.#from, slot)) !== id) continue;
      const carried = this.#ofSlots.subarray(slot * PER_SLOT, (slot + 1) * PER_SLOT);
      if (this.#slotIds[slot] !== id) carried.fill(0);
      this.#slotIds[slot] = id;
      this.#addToSlot(
        target,
        now.map((value, place) => rise(carried, place, value)),
      );
    }
  }

  /** In the order of #addToSlot. */
  #readSlot(slot: number): number[] {
    const { words, capacity } = this.#from;
    const rows = Array.from({ length: capacity.workers }, (_, worker) => this.#from.rowAt(worker, slot));
    rows.push(this.#from.inheritedRowAt(slot));
    const summed = (read: (row: number) => number): number => rows.reduce((sum, row) => sum + read(row), 0);
    const times = this.#from.connectTimesAt(slot);
    return [
      ...OF_ROW.map((offset) => summed((row) => readTotal(words, row + offset))),
      ...BACKEND_ERRORS.map((_, error) => summed((row) => Atomics.load(words, row + WORKER_ROW.ERRORS + error) >>> 0)),
      ...totalsFrom(times, HISTOGRAM_TOTALS).map((word) => readTotal(words, word)),
    ];
  }

  #addToSlot(slot: number, rises: readonly number[]): void {
    const row = this.#to.inheritedRowAt(slot);
    const times = this.#to.connectTimesAt(slot);
    for (const [place, amount] of rises.entries()) {
      if (amount === 0) continue;
      const error = place - OF_ROW.length;
      const bucket = error - BACKEND_ERRORS.length;
      if (bucket >= 0) this.#add(times + WORDS_PER_TOTAL * bucket, amount);
      else if (error >= 0) Atomics.add(this.#to.words, row + WORKER_ROW.ERRORS + error, amount);
      else this.#add(row + (OF_ROW[place] ?? 0), amount);
    }
  }

  #carryRules(): void {
    const numberOf = idsOf(this.#to, poolIdAt, MAX_POOLS);
    for (let number = 0; number < MAX_POOLS; number++) {
      const id = idAt(this.#from, poolIdAt(this.#from, number));
      const target = numberOf.get(id);
      if (target === undefined) continue;
      if (this.#poolIds[number] !== id) this.#ofPools.fill(0, number * 2, number * 2 + 2);
      this.#poolIds[number] = id;
      for (const [index, offset] of [POOL.SELECTED, POOL.FAILED].entries()) {
        const now = Atomics.load(this.#from.words, this.#from.poolAt(number) + offset);
        // Both wrap at 2^32.
        Atomics.add(this.#to.words, this.#to.poolAt(target) + offset, now - (this.#ofPools[number * 2 + index] ?? 0));
        this.#ofPools[number * 2 + index] = now;
      }
    }
  }

  #add(word: number, amount: number): void {
    if (amount > 0) Atomics.add(this.#totals, word / WORDS_PER_TOTAL, BigInt(amount));
  }
}

function totalsFrom(word: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => word + WORDS_PER_TOTAL * index);
}

/** By how much a total has risen, which is noted. */
function rise(carried: Float64Array, place: number, now: number): number {
  const amount = now - (carried[place] ?? 0);
  carried[place] = now;
  return amount;
}

function backendIdAt(region: ControlRegion, slot: number): number {
  return region.backendAt(slot) + BACKEND.ID;
}

function poolIdAt(region: ControlRegion, number: number): number {
  return region.poolAt(number) + POOL.ID;
}

/** 53 bits of the two words, as a number; 0 = nobody's. */
function idAt({ words }: ControlRegion, word: number): number {
  return (Atomics.load(words, word) >>> 0) * 2 ** 21 + (Atomics.load(words, word + 1) >>> 11);
}

/** Who has which place, without those that are nobody's. */
function idsOf(
  region: ControlRegion,
  wordOf: (region: ControlRegion, place: number) => number,
  places: number,
): Map<number, number> {
  const placeOf = new Map<number, number>();
  for (let place = 0; place < places; place++) {
    const id = idAt(region, wordOf(region, place));
    if (id !== 0) placeOf.set(id, place);
  }
  return placeOf;
}
