import type { BindingTable } from '../domain/shared/binding-table.js';
import { monotonicNow } from './monotonic-clock.js';

/** About a millisecond's work. */
const SETS_PER_SLICE = 2048;

/** Counts the bindings at an interval, a slice at a time: there may be millions. */
export class BindingCount {
  readonly #bindings: BindingTable;
  readonly #tell: (count: number) => void;
  #timer: NodeJS.Timeout | null = null;
  #next: NodeJS.Immediate | null = null;

  constructor(bindings: BindingTable, tell: (count: number) => void) {
    this.#bindings = bindings;
    this.#tell = tell;
  }

  /** Counts now, and then at that interval. */
  useInterval(intervalMs: number): void {
    this.stop();
    this.#timer = setInterval(() => this.#begin(), intervalMs).unref();
    this.#begin();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#next !== null) clearImmediate(this.#next);
    this.#timer = this.#next = null;
  }

  /** One count at a time. */
  #begin(): void {
    if (this.#next === null) this.#slice(0, 0);
  }

  #slice(from: number, count: number): void {
    this.#next = null;
    if (from >= this.#bindings.sets) return this.#tell(count);
    const to = from + SETS_PER_SLICE;
    // Sweeping counts, and what has expired may go at any time.
    const live = this.#bindings.sweep(monotonicNow().secs, from, to);
    this.#next = setImmediate(() => this.#slice(to, count + live));
  }
}
