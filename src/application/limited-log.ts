import type { Logger } from './ports/logger.js';

/** Lines in a window; more are counted and told in one line at its end. */
const LINES_PER_WINDOW = 100;
const WINDOW_MS = 10_000;

/**
 * Passes lines on to a log, but no flood of them: 4,000 backends behind one broken switch go down together. Lines beyond
 * the limit are counted by their message.
 */
export class LimitedLog {
  readonly #logger: Logger;
  readonly #schedule: (action: () => void, delayMs: number) => () => void;
  #lines = 0;
  readonly #hidden = new Map<string, number>();
  #cancelWindow: (() => void) | null = null;

  constructor(logger: Logger, schedule: (action: () => void, delayMs: number) => () => void) {
    this.#logger = logger;
    this.#schedule = schedule;
  }

  /** Messages are few and fixed; what varies is in the context. */
  write(level: 'info' | 'warn', context: object, message: string): void {
    this.#cancelWindow ??= this.#schedule(() => this.#endWindow(), WINDOW_MS);
    this.#lines++;
    if (this.#lines <= LINES_PER_WINDOW) this.#logger[level](context, message);
    else this.#hidden.set(message, (this.#hidden.get(message) ?? 0) + 1);
  }

  /** Tells what was counted so far. Idempotent. */
  close(): void {
    this.#cancelWindow?.();
    this.#endWindow();
  }

  #endWindow(): void {
    this.#cancelWindow = null;
    this.#lines = 0;
    for (const [message, lines] of this.#hidden) this.#logger.warn({ lines }, `${message}: more lines than are shown`);
    this.#hidden.clear();
  }
}
