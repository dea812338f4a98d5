/**
 * Weighted rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998; weights by
 * Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005): a hash of client and backend together, the highest wins.
 * Every client so has an order of all backends of its own. Where its first one goes it gets its second, everybody else stays;
 * a backend that comes takes only clients that it is first for, and these are its share by weight.
 *
 * A weight w makes of a hash u in (0, 1) the score -ln(u) ÷ w, of which the lowest wins. Among equal weights that is
 * the highest hash, so the logarithm is taken once for each weight that there is, and never where all are equal.
 */
import { finish } from '../shared/text-hash.js';
import type { Pool } from './pool.js';

const HASHES = 2 ** 32;

/** Whether a route may be chosen: asked only of those that would be. */
export type MayTake = (route: number) => boolean;

export class Rendezvous {
  readonly #pool: Pool;
  #version = -1;
  /** The pool's routes, those of equal weight together, and their keys beside them. */
  #routes = new Int32Array(0);
  #keyHigh = new Int32Array(0);
  #keyLow = new Int32Array(0);
  /** Of each weight: the weight, and where its routes end. */
  #weights = new Float64Array(0);
  #ends = new Int32Array(0);
  #groups = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** The first route in the order of the client with that hash that `mayTake`, or -1. */
  choose(high: number, low: number, mayTake: MayTake): number {
    if (this.#version !== this.#pool.version) this.#arrange();
    let best = -1;
    let lowest = Infinity;
    let from = 0;
    for (let group = 0; group < this.#groups; group++) {
      const end = this.#ends[group] ?? 0;
      let highest = -1;
      let first = -1;
      for (let index = from; index < end; index++) {
        const hash = mix(high ^ (this.#keyHigh[index] ?? 0), low ^ (this.#keyLow[index] ?? 0));
        if (hash <= highest || !mayTake(this.#routes[index] ?? -1)) continue;
        highest = hash;
        first = index;
      }
      from = end;
      if (first < 0) continue;
      if (this.#groups === 1) return this.#routes[first] ?? -1;
      const score = -Math.log((highest + 0.5) / HASHES) / (this.#weights[group] ?? 1);
      if (score >= lowest) continue;
      lowest = score;
      best = this.#routes[first] ?? -1;
    }
    return best;
  }

  #arrange(): void {
    const { routes, count, table } = this.#pool;
    this.#version = this.#pool.version;
    const groups = new Map<number, number[]>();
    for (const route of routes.subarray(0, count)) {
      const weight = table.weight[route] ?? 1;
      const group = groups.get(weight);
      if (group === undefined) groups.set(weight, [route]);
      else group.push(route);
    }
    this.#groups = groups.size;
    this.#weights = Float64Array.from(groups.keys());
    this.#routes = Int32Array.from([...groups.values()].flat());
    this.#keyHigh = this.#routes.map((route) => table.keyHigh[route] ?? 0);
    this.#keyLow = this.#routes.map((route) => table.keyLow[route] ?? 0);
    let end = 0;
    this.#ends = Int32Array.from(groups.values(), (group) => (end += group.length));
  }
}

/** 0 to 2^32 - 1. */
function mix(high: number, low: number): number {
  return finish(Math.imul(high, 0x9e3779b1) ^ low) >>> 0;
}
