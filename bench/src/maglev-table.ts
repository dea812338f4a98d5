/**
 * Maglev's consistent hashing (Eisenbud et al., "Maglev: a fast and reliable software network load balancer", 2016) with weights, to
 * be measured against what the proxy has. Each route has an order of all entries of its own (offset and skip); they take
 * turns in taking the next free one, a route of weight w as often as w to the highest weight.
 */
import type { Pool } from '../../src/domain/routing/pool.js';
import { finish } from '../../src/domain/shared/text-hash.js';

export class MaglevTable {
  /** A prime, so that every skip visits every entry. */
  readonly #size: number;
  readonly #entries: Int32Array;

  constructor(size: number) {
    this.#size = size;
    this.#entries = new Int32Array(size);
  }

  build({ routes, count, table }: Pool): void {
    const size = this.#size;
    const entries = this.#entries.fill(-1);
    const next = new Int32Array(count);
    const skip = new Int32Array(count);
    const share = new Float64Array(count);
    const due = new Float64Array(count);
    let highest = 0;
    for (let index = 0; index < count; index++) highest = Math.max(highest, table.weight[routes[index] ?? 0] ?? 0);
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? 0;
      next[index] = (finish(table.keyHigh[route] ?? 0) >>> 0) % size;
      skip[index] = 1 + ((finish(table.keyLow[route] ?? 0) >>> 0) % (size - 1));
      share[index] = (table.weight[route] ?? 0) / highest;
    }
    for (let taken = 0; ;) {
      for (let index = 0; index < count; index++) {
        due[index] = (due[index] ?? 0) + (share[index] ?? 0);
        if ((due[index] ?? 0) < 1) continue;
        due[index] = (due[index] ?? 0) - 1;
        let entry = next[index] ?? 0;
        while ((entries[entry] ?? 0) >= 0) entry = (entry + (skip[index] ?? 0)) % size;
        entries[entry] = routes[index] ?? 0;
        next[index] = (entry + (skip[index] ?? 0)) % size;
        if (++taken === size) return;
      }
    }
  }

  routeOf(hash: number): number {
    return this.#entries[(finish(hash) >>> 0) % this.#size] ?? -1;
  }
}
