/**
 * The inner loop of a choice: which routes of a range have the lowest score.
 *
 * A function made once over its arrays, and not a method, because that is what V8 compiles best: a worker makes one, so
 * the arrays' addresses and lengths become constants of the machine code. With the arrays in the fields of an object each
 * access loads and checks them again: 4.2 ns a route instead of 1.7, and with ties 8 instead of 3.4. (A second one in the
 * same process works as well and is as slow as that.) A call in the loop would cost as much: so it makes none, and `active`
 * is read without Atomics.load, which in Node 20 is a call of 10 ns. A choice by a count that is a moment old is still a
 * good one; the reservation that follows is exact, and where it fails, the calls in it make the next look a fresh one.
 */
import type { RouteTable } from '../shared/route-table.js';

/** What a search has found so far. */
export interface Found {
  /** [lowest score, weight of all routes that have it, their number]; no object's fields, which would be allocated. */
  readonly state: Float64Array;
  /** The routes that have it, */
  readonly equals: Int32Array;
  /** and for each of them the weight of those up to and including it. */
  readonly weightUpTo: Float64Array;
  /** By route: 1 = not to be chosen in this search. */
  readonly isExcluded: Uint8Array;
}
export const FOUND = { SCORE: 0, WEIGHT: 1, COUNT: 2 } as const;

/**
 * Looks at the places `from` up to but without `to` of RouteTable.order and leaves out the routes of that country and of
 * those regions, which a nearer class has had. A route's score is `base` + its load.
 */
export type RouteScan = (
  base: number,
  from: number,
  to: number,
  hadCountry: number,
  hadRegion: number,
  hadPopRegion: number,
) => void;

export function createRouteScan(words: Int32Array, table: RouteTable, found: Found): RouteScan {
  const { order, activeAt, capacity, hardLimit, weight, country, region } = table;
  const { state, equals, weightUpTo, isExcluded } = found;
  return (base, from, to, hadCountry, hadRegion, hadPopRegion) => {
    let lowest = state[FOUND.SCORE] ?? 0;
    let totalWeight = state[FOUND.WEIGHT] ?? 0;
    let count = state[FOUND.COUNT] ?? 0;
    for (let at = from; at < to; at++) {
      const route = order[at] ?? 0;
      const active = words[activeAt[route] ?? 0] ?? 0;
      const score = base + active / (capacity[route] ?? 1);
      if (score > lowest || active >= (hardLimit[route] ?? 0)) continue;
      if (country[route] === hadCountry || region[route] === hadRegion || region[route] === hadPopRegion) continue;
      if (isExcluded[route] === 1) continue;
      if (score < lowest) {
        lowest = score;
        totalWeight = 0;
        count = 0;
      }
      totalWeight += weight[route] ?? 0;
      equals[count] = route;
      weightUpTo[count] = totalWeight;
      count++;
    }
    state[FOUND.SCORE] = lowest;
    state[FOUND.WEIGHT] = totalWeight;
    state[FOUND.COUNT] = count;
  };
}
