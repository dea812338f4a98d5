import type { Pool } from './pool.js';
import type { Router, RouterContext } from './router.js';
import { SharedCursor } from './shared-cursor.js';
import { SmoothSequence } from './smooth-sequence.js';

/** Gives every route turns in proportion to its number in `column`, in one smooth sequence over all workers. */
export class SequenceRouter implements Router {
  readonly #pool: Pool;
  readonly #column: Float64Array | Int32Array;
  readonly #cursor: SharedCursor;
  readonly #sequence = new SmoothSequence();
  #version = -1;

  /** `column` is one of the table's: whole numbers, or thousandths of such. */
  constructor(context: RouterContext, column: Float64Array | Int32Array) {
    this.#pool = context.pool;
    this.#column = column;
    this.#cursor = new SharedCursor(context);
  }

  choose(): number {
    if (this.#version !== this.#pool.version) this.#build();
    return this.#cursor.take(this.#sequence.routes, this.#sequence.length);
  }

  #build(): void {
    const { routes, count, version } = this.#pool;
    this.#version = version;
    this.#sequence.build(routes, count, this.#column);
  }
}
