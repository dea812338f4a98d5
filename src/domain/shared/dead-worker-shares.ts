/**
 * Gives back the places that dead workers held (ARCHITECTURE.md, "Giving back").
 *
 * A worker that died with its sequence even had `active` and SHARE in agreement: its shares are what it held. One that
 * died with it odd was between the two changes of one slot, and nobody knows of which. What it held of a slot is then
 * what `active` counts beyond the shares of the living, taken at a moment when none of them was between two changes:
 * every sequence even, and neither a sequence nor `active` different after the sum than before. That difference cannot
 * change any more, because its owner is dead, so a plain subtraction gives it back; no retry can count it twice.
 *
 * Several workers that died odd are settled together: none of them could wait for the other's sequence to become even.
 * Only the primary calls this, and only for workers that it has waited for: a dead process writes nothing.
 */
import type { ControlRegion } from './control-region.js';
import { BACKEND, WORKER, WORKER_ROW } from './layout.js';

/** Sums tried per slot before it is left for the next call: a living worker may have been suspended between two changes. */
const TRIES_PER_SLOT = 16;
/** Failed sums per call, over all slots. */
const TRIES_PER_CALL = 1024;

export class DeadWorkerShares {
  readonly #region: ControlRegion;
  readonly #words: Int32Array;
  /** Workers that died between two changes and whose slots are not all settled. */
  readonly #torn = new Set<number>();
  #pending: number[] = [];
  readonly #sequences: Int32Array;
  #triesLeft = 0;

  constructor(region: ControlRegion) {
    this.#region = region;
    this.#words = region.words;
    this.#sequences = new Int32Array(region.capacity.workers);
  }

  /** Slots that still count places of the dead; their workers' indices must not be used again before it is empty. */
  get pendingSlots(): readonly number[] {
    return this.#pending;
  }

  /** Takes on a dead worker; only slots below `usedSlots` are looked at. Ends with a first settle(). */
  reclaim(worker: number, usedSlots: number): boolean {
    if ((Atomics.load(this.#words, this.#sequenceAt(worker)) & 1) === 0) {
      for (let slot = 0; slot < usedSlots; slot++) this.#giveBackShare(worker, slot);
    } else {
      this.#torn.add(worker);
      // All of them again, also for those who died before: what was settled adds up to nothing now.
      this.#pending = Array.from({ length: usedSlots }, (_, slot) => slot);
    }
    return this.settle();
  }

  /** Settles what it can, in bounded time; true when nothing is pending. */
  settle(): boolean {
    this.#triesLeft = TRIES_PER_CALL;
    this.#pending = this.#pending.filter((slot) => !this.#settleSlot(slot));
    if (this.#pending.length > 0) return false;
    // Only now even: before, a sum could have taken a torn pair for a whole one.
    for (const worker of this.#torn) Atomics.add(this.#words, this.#sequenceAt(worker), 1);
    this.#torn.clear();
    return true;
  }

  #giveBackShare(worker: number, slot: number): void {
    const shareAt = this.#shareAt(worker, slot);
    const share = Atomics.load(this.#words, shareAt);
    if (share === 0) return;
    // Order does not matter: the owner is dead, its sequence is even, and only this thread sums shares.
    Atomics.sub(this.#words, this.#activeAt(slot), share);
    Atomics.store(this.#words, shareAt, 0);
  }

  #settleSlot(slot: number): boolean {
    for (let tries = 0; tries < TRIES_PER_SLOT && this.#triesLeft > 0; tries++) {
      const held = this.#heldByTorn(slot);
      if (held !== null) {
        Atomics.sub(this.#words, this.#activeAt(slot), held);
        for (const worker of this.#torn) Atomics.store(this.#words, this.#shareAt(worker, slot), 0);
        return true;
      }
      this.#triesLeft--;
    }
    return false;
  }

  /** What the torn workers hold of a slot, null where the living changed something meanwhile. */
  #heldByTorn(slot: number): number | null {
    const words = this.#words;
    const activeAt = this.#activeAt(slot);
    // Everybody's part of `active` is 0 or more at every moment, the dead one's too: spares most slots the sum.
    if (Atomics.load(words, activeAt) === 0) return 0;
    const { workers } = this.#region.capacity;
    for (let worker = 0; worker < workers; worker++) {
      // Before `active` and the shares: a change that begins later shows in the second look at the sequences.
      const sequence = Atomics.load(words, this.#sequenceAt(worker));
      if ((sequence & 1) !== 0 && !this.#torn.has(worker)) return null;
      this.#sequences[worker] = sequence;
    }
    const active = Atomics.load(words, activeAt);
    let livingShares = 0;
    for (let worker = 0; worker < workers; worker++) {
      if (!this.#torn.has(worker)) livingShares += Atomics.load(words, this.#shareAt(worker, slot));
    }
    for (let worker = 0; worker < workers; worker++) {
      // After them: unchanged and even means that no change began or ended in between.
      if (Atomics.load(words, this.#sequenceAt(worker)) !== this.#sequences[worker]) return null;
    }
    return Atomics.load(words, activeAt) === active ? active - livingShares : null;
  }

  #sequenceAt(worker: number): number {
    return this.#region.workerAt(worker) + WORKER.PAIR_SEQUENCE;
  }

  #activeAt(slot: number): number {
    return this.#region.backendAt(slot) + BACKEND.ACTIVE;
  }

  #shareAt(worker: number, slot: number): number {
    return this.#region.rowAt(worker, slot) + WORKER_ROW.SHARE;
  }
}
