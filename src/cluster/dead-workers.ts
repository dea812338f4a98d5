import { ClientTable } from '../domain/shared/client-table.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { DeadWorkerShares } from '../domain/shared/dead-worker-shares.js';
import { WORKER } from '../domain/shared/layout.js';

/** What describes a living worker and means nothing once it is dead. Totals stay: its successor counts on from them. */
const MOMENTARY = [
  WORKER.BATCH_GENERATION,
  WORKER.SPLICE_PIPES,
  WORKER.PENDING_BYTES,
  WORKER.RELAYS_OPEN,
  WORKER.WARM_CONNECTIONS,
  WORKER.UDP_SESSIONS,
  WORKER.HEARTBEAT,
  WORKER.LAG_MS,
  WORKER.SHEDDING,
  WORKER.STALLED,
  WORKER.RULES,
];

/** About a millisecond's work. */
const ENTRIES_PER_CALL = 2 ** 16;

/** Gives back what dead workers held, over as many calls as it takes. */
export class DeadWorkers {
  readonly #region: ControlRegion;
  readonly #shares: DeadWorkerShares;
  readonly #usedSlots: () => number;
  readonly #begun = new Set<number>();
  readonly #clients: ClientTable;
  /** Up to where the clients' entries are cleared, by worker. */
  readonly #cleared = new Map<number, number>();

  constructor(region: ControlRegion, usedSlots: () => number) {
    this.#region = region;
    this.#shares = new DeadWorkerShares(region);
    this.#clients = new ClientTable(region);
    this.#usedSlots = usedSlots;
  }

  /** True when nothing of the worker is left in the shared counters; until then its index must not be used again. */
  reclaim(workerIndex: number): boolean {
    const isDone = this.#begun.has(workerIndex)
      ? this.#shares.settle()
      : this.#shares.reclaim(workerIndex, this.#usedSlots());
    this.#begun.add(workerIndex);
    if (!isDone || !this.#forgetClients(workerIndex)) return false;
    this.#begun.delete(workerIndex);
    for (const word of MOMENTARY) Atomics.store(this.#region.words, this.#region.workerAt(workerIndex) + word, 0);
    return true;
  }

  /** True when no client's entry counts a connection of the dead worker any more. */
  #forgetClients(workerIndex: number): boolean {
    const { words } = this.#region;
    const tracksAt = this.#region.workerAt(workerIndex) + WORKER.TRACKS_CLIENTS;
    // Its owner is dead: nobody sets it again before the index is given to another.
    if (Atomics.load(words, tracksAt) === 0) return true;
    const from = this.#cleared.get(workerIndex) ?? 0;
    const to = from + ENTRIES_PER_CALL;
    this.#clients.clearWorker(workerIndex, from, to);
    this.#cleared.set(workerIndex, to);
    if (to < this.#clients.entries) return false;
    this.#cleared.delete(workerIndex);
    Atomics.store(words, tracksAt, 0);
    return true;
  }
}
