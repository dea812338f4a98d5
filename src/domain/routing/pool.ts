/**
 * The backends that one rule chooses from, as a worker sees them: the routes of its routing table that belong to the pool and
 * take new clients. Those that health checks or a breaker have shut are not among them, unless there is panic; one
 * that is full or was tried for this client already is, and has `active >= hardLimit`.
 *
 * Refilled in place between batches when table or states have changed; where that changes a backend or its weight, `version`
 * is another one. The order of the routes is the same in every worker that has the same table and states.
 */
import type { RouteTable } from '../shared/route-table.js';

export class Pool {
  /** Columns of the routes: weight, capacity, hardLimit, activeAt, … */
  readonly table: RouteTable;
  readonly #words: Int32Array;
  /** Indices of routes; the first `count` count. */
  routes = new Int32Array(0);
  count = 0;
  version = 0;
  /** Of each route when the version began. */
  #slots = new Int32Array(0);
  #weights = new Float64Array(0);
  /** A slot may be another backend's by now, with the same weight. */
  #keyHigh = new Int32Array(0);
  #keyLow = new Int32Array(0);

  /** `words` are the control region's. */
  constructor(table: RouteTable, words: Int32Array) {
    this.table = table;
    this.#words = words;
  }

  /**
   * Connections of a route over all workers: a plain read, since Atomics.load is a call in Node 20. A choice by a count that is a
   * moment old is still a good one, and the reservation that follows is exact.
   */
  activeOf(route: number): number {
    return this.#words[this.table.activeAt[route] ?? 0] ?? 0;
  }

  /** Whether the route may be chosen; false of one that is full or was tried for this client. */
  hasRoom(route: number): boolean {
    return this.activeOf(route) < (this.table.hardLimit[route] ?? 0);
  }

  /** Takes the first `count` of other routes, in that order, with the weights that they have in the table now. */
  refill(routes: Int32Array, count: number): void {
    if (this.#isAsBefore(routes, count)) return;
    if (count > this.routes.length) {
      this.routes = new Int32Array(count);
      this.#slots = new Int32Array(count);
      this.#weights = new Float64Array(count);
      this.#keyHigh = new Int32Array(count);
      this.#keyLow = new Int32Array(count);
    }
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? 0;
      this.routes[index] = route;
      this.#slots[index] = this.table.slot[route] ?? 0;
      this.#weights[index] = this.table.weight[route] ?? 0;
      this.#keyHigh[index] = this.table.keyHigh[route] ?? 0;
      this.#keyLow[index] = this.table.keyLow[route] ?? 0;
    }
    this.count = count;
    this.version++;
  }

  #isAsBefore(routes: Int32Array, count: number): boolean {
    if (count !== this.count) return false;
    const { slot, weight, keyHigh, keyLow } = this.table;
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? 0;
      if (this.routes[index] !== route || this.#slots[index] !== slot[route]) return false;
      if (this.#weights[index] !== weight[route]) return false;
      if (this.#keyHigh[index] !== keyHigh[route] || this.#keyLow[index] !== keyLow[route]) return false;
    }
    return true;
  }
}
