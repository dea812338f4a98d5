import type { BindingTable } from '../domain/shared/binding-table.js';

/** About a millisecond's work: between two slices the primary's loop answers everybody else. */
const SETS_PER_SLICE = 2048;

/** Clears expired bindings at an interval, a slice at a time. */
export class BindingSweep {
  readonly #bindings: BindingTable;
  #intervalMs: number;
  readonly #nowSecs: () => number;
  #timer: NodeJS.Timeout | null = null;
  #next: NodeJS.Immediate | null = null;

  constructor(bindings: BindingTable, intervalMs: number, nowSecs: () => number) {
    this.#bindings = bindings;
    this.#intervalMs = intervalMs;
    this.#nowSecs = nowSecs;
    this.#wait();
  }

  /** From the next wait on: the one under way begins anew. */
  useInterval(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#wait();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#next !== null) clearImmediate(this.#next);
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#slice(0), this.#intervalMs);
  }

  #slice(from: number): void {
    this.#timer = null;
    if (from >= this.#bindings.sets) return this.#wait();
    const to = Math.min(from + SETS_PER_SLICE, this.#bindings.sets);
    this.#bindings.sweep(this.#nowSecs(), from, to);
    this.#next = setImmediate(() => this.#slice(to));
  }
}
