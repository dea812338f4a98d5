import type { ConfigSource } from '../adapters/inbound/config/config-source.js';
import type { FileState } from '../adapters/inbound/config/file-state.js';

/**
 * Looks at the configuration file at an interval and tells when it is not the one that was last read, in place or under
 * its name. It must look the same twice, an interval apart: editors and copies write in several steps. A bad one is read
 * once; it is told of again when it changes again.
 */
export class ConfigWatch {
  readonly #source: Pick<ConfigSource, 'look' | 'lastRead'>;
  readonly #onChange: () => void;
  #intervalMs: number | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Counts the watches begun: a look of an earlier one comes to nothing. */
  #watch = 0;

  constructor(source: Pick<ConfigSource, 'look' | 'lastRead'>, onChange: () => void) {
    this.#source = source;
    this.#onChange = onChange;
  }

  /** Watches at this interval from now on; null ends it. */
  useInterval(intervalMs: number | null): void {
    if (intervalMs === this.#intervalMs) return;
    this.stop();
    this.#intervalMs = intervalMs;
    if (intervalMs !== null) void this.#look(this.#watch, this.#source.lastRead);
  }

  /** Idempotent. */
  stop(): void {
    this.#watch++;
    this.#intervalMs = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #look(watch: number, before: FileState): Promise<void> {
    const state = await this.#source.look();
    if (watch !== this.#watch || this.#intervalMs === null) return;
    if (state !== this.#source.lastRead && state === before) this.#onChange();
    this.#timer = setTimeout(() => void this.#look(watch, state), this.#intervalMs);
  }
}
