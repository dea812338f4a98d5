/**
 * Draws a route at random in proportion to weight, in the same time for any number of routes: Walker's alias method ("An
 * efficient method for generating discrete random variables with general distributions", 1977). Each route's column is filled up to
 * the average with a part of one other route, its alias; a draw picks a column, then a height in it.
 *
 * What has no room is drawn again, which leaves the others' shares in proportion; after some draws in vain it looks at all.
 */
import type { Pool } from './pool.js';
import type { Xorshift128 } from './xorshift128.js';

const DRAWS = 8;
const UNIFORM = 2 ** -31;

export class WeightedDraw {
  readonly #pool: Pool;
  readonly #random: Xorshift128;
  #version = -1;
  /** Of each position in the pool: how much of its column is its own, 1 = all, and who has the rest. */
  #own = new Float64Array(0);
  #alias = new Int32Array(0);

  constructor(pool: Pool, random: Xorshift128) {
    this.#pool = pool;
    this.#random = random;
  }

  /** A route with room, or -1 where none has. */
  draw(): number {
    if (this.#version !== this.#pool.version) this.#build();
    const { routes, count } = this.#pool;
    if (count === 0) return -1;
    for (let draws = 0; draws < DRAWS; draws++) {
      const column = Math.floor(this.#random.next() * UNIFORM * count);
      const isOwn = this.#random.next() * UNIFORM < (this.#own[column] ?? 1);
      const route = routes[isOwn ? column : (this.#alias[column] ?? column)] ?? -1;
      if (this.#pool.hasRoom(route)) return route;
    }
    return this.#drawAmongAll();
  }

  #drawAmongAll(): number {
    const { routes, count, table } = this.#pool;
    let total = 0;
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      if (this.#pool.hasRoom(route)) total += table.weight[route] ?? 0;
    }
    let rest = this.#random.next() * UNIFORM * total;
    let last = -1;
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      if (!this.#pool.hasRoom(route)) continue;
      last = route;
      rest -= table.weight[route] ?? 0;
      if (rest < 0) return route;
    }
    return last;
  }

  #build(): void {
    const { routes, count, table, version } = this.#pool;
    this.#version = version;
    if (this.#own.length < count) {
      this.#own = new Float64Array(count);
      this.#alias = new Int32Array(count);
    }
    let total = 0;
    for (let index = 0; index < count; index++) total += table.weight[routes[index] ?? 0] ?? 0;
    for (let index = 0; index < count; index++) {
      this.#own[index] = ((table.weight[routes[index] ?? 0] ?? 0) * count) / total;
      this.#alias[index] = index;
    }
    this.#level(count);
  }

  /** Fills each column below the average from one above it. */
  #level(count: number): void {
    const own = this.#own;
    const low: number[] = [];
    const high: number[] = [];
    for (let index = 0; index < count; index++) ((own[index] ?? 1) < 1 ? low : high).push(index);
    while (high.length > 0) {
      const to = low.pop();
      if (to === undefined) return;
      const from = high.at(-1) ?? to;
      this.#alias[to] = from;
      own[from] = (own[from] ?? 1) - (1 - (own[to] ?? 1));
      if ((own[from] ?? 1) < 1) low.push(...high.splice(-1));
    }
    // Only the rounding of sums leaves one below the average here.
    for (const index of low) own[index] = 1;
  }
}
