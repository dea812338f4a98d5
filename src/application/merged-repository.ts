/**
 * Two sources of backends as one. The first is as if it were alone. The second may be gone or slow: then what it had last
 * stays in force, the log says so once, and nobody waits for it.
 */
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import type { Logger } from './ports/logger.js';
import type { RoutingRepository, RoutingSnapshot } from './ports/routing-repository.js';

export interface MergedRepositoryOptions {
  readonly first: RoutingRepository;
  readonly second: RoutingRepository;
  /** For the log. */
  readonly nameOfSecond: string;
  /** How long a reading waits for the second at the start, when clients wait too, and later. */
  readonly firstPatienceMs: number;
  readonly patienceMs: number;
  /** Resolves when the promise has settled, but after that time in any case. */
  readonly settledWithin: (promise: Promise<unknown>, timeoutMs: number) => Promise<void>;
  readonly logger: Logger;
}

const NOTHING: RoutingSnapshot = { backends: [], warnings: [] };

export class MergedRepository implements RoutingRepository {
  readonly #options: MergedRepositoryOptions;
  #first = NOTHING;
  #second = NOTHING;
  #hasNews = false;
  #isStarted = false;
  #underWay: Promise<void> | null = null;
  #lastFailure = '';
  #isClosed = false;

  constructor(options: MergedRepositoryOptions) {
    this.#options = options;
  }

  async readIfChanged(): Promise<RoutingSnapshot | null> {
    const { first, settledWithin, firstPatienceMs, patienceMs } = this.#options;
    this.#underWay ??= this.#readSecond().finally(() => (this.#underWay = null));
    const waiting = settledWithin(this.#underWay, this.#isStarted ? patienceMs : firstPatienceMs);
    // Both are asked at the same time; the failure of the first is the caller's.
    const [snapshot] = await Promise.all([first.readIfChanged(), waiting]);
    this.#isStarted = true;
    if (snapshot !== null) this.#takeFirst(snapshot);
    return this.#merged();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#options.first.close(), this.#options.second.close()]);
  }

  #takeFirst(snapshot: RoutingSnapshot): void {
    this.#first = snapshot;
    this.#hasNews = true;
  }

  /** Each warning is told once. */
  #merged(): RoutingSnapshot | null {
    if (!this.#hasNews) return null;
    const [first, second] = [this.#first, this.#second];
    this.#hasNews = false;
    this.#first = { ...first, warnings: [] };
    this.#second = { ...second, warnings: [] };
    return {
      backends: [...first.backends, ...second.backends],
      warnings: [...first.warnings, ...second.warnings],
    };
  }

  async #readSecond(): Promise<void> {
    const { second, nameOfSecond, logger } = this.#options;
    try {
      const snapshot = await second.readIfChanged();
      if (snapshot !== null) {
        this.#second = snapshot;
        this.#hasNews = true;
      }
      if (this.#lastFailure !== '') logger.info({}, `${nameOfSecond} can be read again`);
      this.#lastFailure = '';
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const { nameOfSecond, logger } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    if (this.#isClosed || message === this.#lastFailure) return;
    this.#lastFailure = message;
    // A stack is of use only where the fault is ours.
    const context = error instanceof EdgeproxyError ? { code: error.code } : { error };
    logger.warn(context, `${nameOfSecond} is left aside, its last backends stay in force: ${message}`);
  }
}
