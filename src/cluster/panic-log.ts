/**
 * Says in the log when a panic begins and ends. Workers find it out each for itself (StateOverlay) and have no log; the
 * primary counts by the same states and the same table. Each pool of a rule has a panic of its own.
 */
import { LimitedLog } from '../application/limited-log.js';
import type { Logger } from '../application/ports/logger.js';

const BEGINS = 'panic: too few backends are available, health checks and breakers are ignored';
const ENDS = 'panic is over: health checks and breakers count again';

/** Of the whole routing database where `pool` is 0. */
export interface Candidates {
  /** Those that may have clients, and those of them that get some. */
  readonly candidates: number;
  readonly available: number;
}

export class PanicLog {
  /** Of its own: when it begins, thousands of breakers may have something to say. */
  readonly #lines: LimitedLog;
  #thresholdPercent = 0;
  /** Pools in panic. */
  readonly #panicking = new Set<number>();

  constructor(logger: Logger, schedule: (action: () => void, delayMs: number) => () => void) {
    this.#lines = new LimitedLog(logger, schedule);
  }

  configure(thresholdPercent: number): void {
    this.#thresholdPercent = thresholdPercent;
  }

  /** By pool; one that is not there any more has no panic that could end. */
  look(pools: ReadonlyMap<number, Candidates>): void {
    for (const pool of this.#panicking) if (!pools.has(pool)) this.#panicking.delete(pool);
    for (const [pool, counts] of pools) this.#lookAt(pool, counts);
  }

  #lookAt(pool: number, { candidates, available }: Candidates): void {
    const thresholdPercent = this.#thresholdPercent;
    const isPanic = available * 100 < candidates * thresholdPercent;
    if (isPanic === this.#panicking.has(pool)) return;
    if (isPanic) this.#panicking.add(pool);
    else this.#panicking.delete(pool);
    const context = { available, candidates, thresholdPercent, ...(pool === 0 ? {} : { pool }) };
    // Both warnings: a log that has the beginning has the end.
    this.#lines.write('warn', context, isPanic ? BEGINS : ENDS);
  }

  close(): void {
    this.#lines.close();
  }
}
