import type { Pool } from './pool.js';
import type { Xorshift128 } from './xorshift128.js';

const UNIFORM = 2 ** -31;

/** The routes of a pool that a search has found to be equally good, one of which is then picked by weight. */
export class EqualRoutes {
  #routes = new Int32Array(0);
  #count = 0;
  readonly #pool: Pool;
  readonly #random: Xorshift128;

  constructor(pool: Pool, random: Xorshift128) {
    this.#pool = pool;
    this.#random = random;
  }

  /** Begins with none, and room for all of the pool. */
  clear(): void {
    this.#count = 0;
    if (this.#routes.length < this.#pool.count) this.#routes = new Int32Array(this.#pool.routes.length);
  }

  /** Another as good as those that there are. */
  add(route: number): void {
    this.#routes[this.#count++] = route;
  }

  /** One that is better than those that there are. */
  replaceBy(route: number): void {
    this.#routes[0] = route;
    this.#count = 1;
  }

  /** One of them, each with a probability in proportion to its weight; -1 of none. */
  pick(): number {
    if (this.#count < 2) return this.#count === 1 ? (this.#routes[0] ?? -1) : -1;
    const { weight } = this.#pool.table;
    let total = 0;
    for (let index = 0; index < this.#count; index++) total += weight[this.#routes[index] ?? 0] ?? 0;
    let rest = this.#random.next() * UNIFORM * total;
    for (let index = 0; index < this.#count; index++) {
      const route = this.#routes[index] ?? -1;
      rest -= weight[route] ?? 0;
      if (rest < 0) return route;
    }
    // Only the rounding of a part of a weight (a slow start) leads here.
    return this.#routes[this.#count - 1] ?? -1;
  }
}
