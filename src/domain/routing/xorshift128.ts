import type { Seeds } from '../shared/control-region.js';

/**
 * Marsaglia's xorshift128 ("Xorshift RNGs", 2003): good enough to share load, 2 ns, and unlike Math.random() repeatable
 * from its seeds. Four words of state in a typed array, because a number above 2^31 in a field would be allocated.
 */
export class Xorshift128 {
  readonly #state: Int32Array;

  constructor(seeds: Seeds) {
    this.#state = Int32Array.from(seeds);
    // From all zeros it would give nothing but zeros.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  /** 0 to 2^31 - 1, each as likely as the others. */
  next(): number {
    const state = this.#state;
    const oldest = state[3] ?? 0;
    const newest = state[0] ?? 0;
    const mixed = oldest ^ (oldest << 11);
    const word = mixed ^ (mixed >>> 8) ^ newest ^ (newest >>> 19);
    state[3] = state[2] ?? 0;
    state[2] = state[1] ?? 0;
    state[1] = newest;
    state[0] = word;
    return word >>> 1;
  }
}
