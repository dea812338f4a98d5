import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import type { Logger } from './ports/logger.js';

/** What holds a source at start and passes, passes in seconds. */
const FIRST_TRIES = 10;
const FIRST_RETRY_MS = 300;

export interface RefreshLoopOptions<T> {
  /** For the log: what is refreshed, for instance `routing database`. */
  readonly name: string;
  readonly intervalMs: number;
  /** The new state, or null where nothing changed. */
  readonly read: () => Promise<T | null>;
  /** Takes the new state into force. */
  readonly apply: (state: T) => void | Promise<void>;
  /** Lets go of a state that came after stop() and is not applied: one that holds something open. */
  readonly discard?: (state: T) => void;
  readonly logger: Logger;
  /** Runs `action` once after `delayMs`; returns what calls it off. */
  readonly schedule: (action: () => void, delayMs: number) => () => void;
}

/**
 * Reads a source again and again; what fails to be read leaves the last good state in force. A failure is logged when it
 * appears, when it changes and when it is over, not at every turn. One read at a time.
 */
export class RefreshLoop<T> {
  readonly #options: RefreshLoopOptions<T>;
  #intervalMs: number;
  #cancelNext: () => void = () => undefined;
  #running: Promise<void> | null = null;
  /** The read that was asked for during the running one. */
  #following: Promise<void> | null = null;
  #lastFailure = '';
  #isStopped = false;

  constructor(options: RefreshLoopOptions<T>) {
    this.#options = options;
    this.#intervalMs = options.intervalMs;
  }

  /**
   * The first read: its failure is the caller's, after a few tries where another may help (a database that is locked for a
   * moment). Refreshing goes on from there.
   */
  async start(): Promise<void> {
    await this.#take(await this.#readFirst());
    this.#scheduleNext();
  }

  /** Reads now, out of turn; resolves when the state is in force or the failure logged. After stop() it does nothing. */
  refreshNow(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#cancelNext();
    if (this.#running === null) return this.#refresh();
    // The read under way may have begun before the change that the caller wants to see.
    this.#following ??= this.#running.then(() => {
      this.#following = null;
      return this.refreshNow();
    });
    return this.#following;
  }

  /** Another interval; the wait under way begins anew. */
  useInterval(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    if (this.#running !== null) return;
    this.#cancelNext();
    this.#scheduleNext();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelNext();
  }

  async #readFirst(): Promise<T | null> {
    const { name, read, logger, schedule } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await read();
      } catch (error) {
        if (this.#isStopped || tries === FIRST_TRIES || !(error instanceof EdgeproxyError && error.isRetryable))
          throw error;
        logger.warn({ code: error.code, tries }, `the ${name} cannot be read yet: ${error.message}`);
        await new Promise<void>((resolve) => schedule(resolve, FIRST_RETRY_MS));
      }
    }
  }

  async #take(state: T | null): Promise<void> {
    if (state === null) return;
    if (this.#isStopped) this.#options.discard?.(state);
    else await this.#options.apply(state);
  }

  #scheduleNext(): void {
    if (this.#isStopped) return;
    this.#cancelNext = this.#options.schedule(() => void this.#refresh(), this.#intervalMs);
  }

  async #refresh(): Promise<void> {
    this.#running = this.#readOnce();
    await this.#running;
    this.#running = null;
    this.#scheduleNext();
  }

  async #readOnce(): Promise<void> {
    const { name, logger, read } = this.#options;
    try {
      await this.#take(await read());
      // A source rejects for as long as it cannot be read, so "nothing changed" is good news too.
      if (this.#lastFailure === '') return;
      this.#lastFailure = '';
      logger.info({}, `the ${name} can be read again`);
    } catch (error) {
      this.#logFailure(error);
    }
  }

  #logFailure(error: unknown): void {
    const isKnown = error instanceof EdgeproxyError;
    const message = error instanceof Error ? error.message : String(error);
    // Another file that is refused for the same reason is news; its identity is in the context.
    const failure = JSON.stringify([message, isKnown ? error.context : null]);
    if (failure === this.#lastFailure) return;
    this.#lastFailure = failure;
    // A stack is of use only where the fault is ours.
    this.#options.logger.error(
      isKnown ? { code: error.code } : { error },
      `the ${this.#options.name} cannot be read; the last one stays in force: ${message}`,
    );
  }
}
