/** Says in the log how many clients were turned away, and why: at most one line in an interval, none without any. */
import type { Logger } from '../application/ports/logger.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import {
  ACCEPTOR,
  REJECT_REASONS,
  WORKER,
  WORKER_LINES,
  WORDS_PER_LINE,
  WORDS_PER_TOTAL,
  type RejectReason,
} from '../domain/shared/layout.js';
import type { Service, ServiceParts } from './service.js';

const INTERVAL_MS = 10_000;
/** The proxy or its backends lack something; the others are the clients' doing, or what the configuration asks for. */
const OUR_LACK: ReadonlySet<RejectReason> = new Set([
  'no_backend',
  'connect_failed',
  'no_descriptors',
  'overload_lag',
  'overload_memory',
  'overload_descriptors',
]);

export class RejectionLog implements Service {
  readonly #region: ControlRegion;
  readonly #logger: Logger;
  readonly #totals: BigUint64Array;
  /** By REJECT_REASONS, over all workers; as a new version found them. */
  #told: readonly bigint[];
  #timer: NodeJS.Timeout | null = null;

  constructor({ region, logger }: Pick<ServiceParts, 'region' | 'logger'>) {
    this.#region = region;
    this.#logger = logger;
    const { buffer, byteOffset } = region.words;
    const words = region.workerAt(0) + region.capacity.workers * WORKER_LINES * WORDS_PER_LINE;
    this.#totals = new BigUint64Array(buffer, byteOffset, words / WORDS_PER_TOTAL);
    this.#told = this.#sums();
  }

  configure(): void {
    // Nothing of it is configurable.
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#look();
  }

  #look(): void {
    const sums = this.#sums();
    const clients: Partial<Record<RejectReason, number>> = {};
    let isOurs = false;
    for (const [index, reason] of REJECT_REASONS.entries()) {
      const added = (sums[index] ?? 0n) - (this.#told[index] ?? 0n);
      if (added === 0n) continue;
      clients[reason] = Number(added);
      isOurs ||= OUR_LACK.has(reason);
    }
    this.#told = sums;
    if (Object.keys(clients).length > 0)
      this.#logger[isOurs ? 'warn' : 'info']({ clients }, 'clients were turned away');
  }

  #sums(): readonly bigint[] {
    return REJECT_REASONS.map((reason, index) => {
      let sum = 0n;
      for (let worker = 0; worker < this.#region.capacity.workers; worker++) {
        const word = this.#region.workerAt(worker) + WORKER.REJECTED + WORDS_PER_TOTAL * index;
        // Atomic for a whole value; one that is a moment old is told of in the next line.
        sum += Atomics.load(this.#totals, word / WORDS_PER_TOTAL);
      }
      return reason === 'rate_limited' ? sum + this.#refusedByAcceptor() : sum;
    });
  }

  /** No worker has seen these. */
  #refusedByAcceptor(): bigint {
    const word = this.#region.offsets.acceptor + ACCEPTOR.RATE_LIMITED;
    return Atomics.load(this.#totals, word / WORDS_PER_TOTAL);
  }
}
