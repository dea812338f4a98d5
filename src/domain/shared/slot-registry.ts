/**
 * Which backend has which slot: for as long as a backend is known it keeps its slot, so its counters stay its own.
 *
 * A removed backend's slot waits until it is nobody's: first until no worker can choose by a table that had it (see
 * WORKER.BATCH_GENERATION), then its bindings are forgotten, and when its last connection has ended it is free. A backend
 * that comes back earlier gets it back, counters and all.
 */
import { BackendStates } from './backend-states.js';
import type { BindingTable } from './binding-table.js';
import { ConnectTimes } from './connect-times.js';
import type { ControlRegion } from './control-region.js';
import { BACKEND, HISTOGRAM_LINES, WORDS_PER_LINE, WORKER_ROW } from './layout.js';
import { textHash } from './text-hash.js';
import { isForgotten } from './table-users.js';

interface Retired {
  readonly id: string;
  /** The first generation without the backend. */
  readonly generation: number;
  isPurged: boolean;
}

export class SlotRegistry {
  readonly #region: ControlRegion;
  readonly #bindings: BindingTable;
  readonly #states: BackendStates;
  readonly #connectTimes: ConnectTimes;
  readonly #slots = new Map<string, number>();
  readonly #retired = new Map<number, Retired>();
  /** Given back, to be used before new ones, so that usedSlots stays low. */
  readonly #free: number[] = [];
  #usedSlots = 0;

  constructor(region: ControlRegion, bindings: BindingTable) {
    this.#region = region;
    this.#bindings = bindings;
    this.#states = new BackendStates(region);
    this.#connectTimes = new ConnectTimes(region);
  }

  /** Every slot ever assigned is below this. */
  get usedSlots(): number {
    return this.#usedSlots;
  }

  /** Slots of removed backends that still have connections, or that a worker may still choose. */
  get retiredSlots(): number {
    return this.#retired.size;
  }

  slotOf(id: string): number | undefined {
    return this.#slots.get(id);
  }

  /** The backend's slot, a free one where it has none yet, or -1 where none is free. */
  assign(id: string): number {
    const known = this.#slots.get(id);
    if (known !== undefined) {
      this.#retired.delete(known);
      return known;
    }
    const slot = this.#reuse() ?? this.#nextUnused();
    if (slot < 0) return slot;
    this.#slots.set(id, slot);
    this.#setId(slot, textHash(id, 0), textHash(id, 1));
    return slot;
  }

  /** Retires every backend that is not in `ids`; `generation` is the published table that is the first without them. */
  retireAllBut(ids: ReadonlySet<string>, generation: number): void {
    for (const [id, slot] of this.#slots) {
      if (ids.has(id) || this.#retired.has(slot)) continue;
      this.#retired.set(slot, { id, generation, isPurged: false });
    }
  }

  /** Frees the retired slots that are nobody's any more; tells whether there were any. */
  recycle(): boolean {
    const freeBefore = this.#free.length;
    this.#purgeBindings();
    for (const [slot, { id, isPurged }] of this.#retired) {
      if (!isPurged || this.#isHeld(slot)) continue;
      this.#retired.delete(slot);
      this.#slots.delete(id);
      this.#free.push(slot);
      // What it has counted is nobody's any more, also for a newer version.
      this.#setId(slot, 0, 0);
    }
    return this.#free.length > freeBefore;
  }

  #setId(slot: number, high: number, low: number): void {
    const at = this.#region.backendAt(slot) + BACKEND.ID;
    Atomics.store(this.#region.words, at, high);
    Atomics.store(this.#region.words, at + 1, low);
  }

  /** A slot that had another owner; one that had none counts nothing yet. */
  #reuse(): number | undefined {
    const slot = this.#free.pop();
    if (slot === undefined) return undefined;
    this.#resetTotals(slot);
    this.#states.reset(slot);
    this.#connectTimes.forget(slot);
    // After the last connection of the old owner and before the publication of the new one (see slotOwner).
    Atomics.add(this.#region.words, this.#region.backendAt(slot) + BACKEND.OWNER, 1);
    return slot;
  }

  #nextUnused(): number {
    return this.#usedSlots < this.#region.capacity.backends ? this.#usedSlots++ : -1;
  }

  /** One pass over the table for all that can be purged. */
  #purgeBindings(): void {
    const purgeable = [...this.#retired].filter(([, it]) => !it.isPurged && isForgotten(this.#region, it.generation));
    if (purgeable.length === 0) return;
    const isPurged = new Uint8Array(this.#region.capacity.backends);
    for (const [slot] of purgeable) isPurged[slot] = 1;
    this.#bindings.purgeSlots(isPurged);
    for (const [, it] of purgeable) it.isPurged = true;
  }

  #isHeld(slot: number): boolean {
    const { words, capacity } = this.#region;
    // A release changes `active` first: with both 0 it is over. Nobody reserves here any more, so they stay 0.
    if (Atomics.load(words, this.#region.backendAt(slot) + BACKEND.ACTIVE) !== 0) return true;
    for (let worker = 0; worker < capacity.workers; worker++) {
      if (Atomics.load(words, this.#region.rowAt(worker, slot) + WORKER_ROW.SHARE) !== 0) return true;
    }
    return false;
  }

  /**
   * The last owner's totals are not the new one's. Nobody holds the slot, so no worker adds to them now; only the errors of
   * warm connects under way, which hold no place, may still be counted until OWNER has changed (native/engine/warm_pool.cc).
   */
  #resetTotals(slot: number): void {
    const rows = Array.from({ length: this.#region.capacity.workers }, (_, worker) => this.#region.rowAt(worker, slot));
    // All but SHARE, which is the row's first word and 0 already.
    for (const row of [...rows, this.#region.inheritedRowAt(slot)]) {
      this.#clear(row + WORKER_ROW.SHARE + 1, row + WORDS_PER_LINE);
    }
    const times = this.#region.connectTimesAt(slot);
    this.#clear(times, times + HISTOGRAM_LINES * WORDS_PER_LINE);
  }

  #clear(from: number, to: number): void {
    for (let word = from; word < to; word++) Atomics.store(this.#region.words, word, 0);
  }
}
