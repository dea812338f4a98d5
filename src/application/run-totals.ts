import type { ControlRegion } from '../domain/shared/control-region.js';
import { PRIMARY, ROUTING_READS, WORDS_PER_TOTAL, type RoutingRead } from '../domain/shared/layout.js';

/** Counts what happens in the primary, in shared memory, where the next version finds it. The primary has the only one. */
export class RunTotals {
  readonly #totals: BigUint64Array;
  readonly #at: number;

  constructor(region: ControlRegion) {
    this.#at = region.offsets.primary;
    const { buffer, byteOffset } = region.words;
    this.#totals = new BigUint64Array(buffer, byteOffset, Math.floor(region.offsets.totalWords / WORDS_PER_TOTAL));
  }

  countWorkerRestart(): void {
    this.#count(PRIMARY.WORKER_RESTARTS);
  }

  countRoutingRead(result: RoutingRead): void {
    this.#count(PRIMARY.ROUTING_READS + WORDS_PER_TOTAL * ROUTING_READS.indexOf(result));
  }

  countAccessLogDrops(lines: number): void {
    this.#count(PRIMARY.ACCESS_LOG_DROPS, lines);
  }

  #count(offset: number, times = 1): void {
    Atomics.add(this.#totals, (this.#at + offset) / WORDS_PER_TOTAL, BigInt(times));
  }
}

/** `read`, counted. */
export function counted<T>(totals: RunTotals, read: () => Promise<T | null>): () => Promise<T | null> {
  return async () => {
    try {
      const state = await read();
      totals.countRoutingRead(state === null ? 'unchanged' : 'changed');
      return state;
    } catch (error) {
      totals.countRoutingRead('failed');
      throw error;
    }
  };
}
