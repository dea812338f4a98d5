import type { ControlRegion } from '../domain/shared/control-region.js';
import { DeadWorkerShares } from '../domain/shared/dead-worker-shares.js';
import { WORKER } from '../domain/shared/layout.js';

/** What describes a living worker and means nothing once it is dead. Totals stay: its successor counts on from them. */
const MOMENTARY = [WORKER.BATCH_GENERATION, WORKER.SPLICE_PIPES, WORKER.PENDING_BYTES, WORKER.RELAYS_OPEN];

/** Gives back what dead workers held, over as many calls as it takes. */
export class DeadWorkers {
  readonly #region: ControlRegion;
  readonly #shares: DeadWorkerShares;
  readonly #usedSlots: () => number;
  readonly #begun = new Set<number>();

  constructor(region: ControlRegion, usedSlots: () => number) {
    this.#region = region;
    this.#shares = new DeadWorkerShares(region);
    this.#usedSlots = usedSlots;
  }

  /** True when nothing of the worker is left in the shared counters; until then its index must not be used again. */
  reclaim(workerIndex: number): boolean {
    const isDone = this.#begun.has(workerIndex)
      ? this.#shares.settle()
      : this.#shares.reclaim(workerIndex, this.#usedSlots());
    this.#begun.add(workerIndex);
    if (!isDone) return false;
    this.#begun.delete(workerIndex);
    for (const word of MOMENTARY) Atomics.store(this.#region.words, this.#region.workerAt(workerIndex) + word, 0);
    return true;
  }
}
