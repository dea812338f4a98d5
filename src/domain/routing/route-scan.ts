/**
 * The inner loop of a choice: which routes of a range have the lowest score.
 *
 * Its form is V8's: a function made once over its arrays, and not a method, because a worker makes only one, so that the
 * arrays' addresses and lengths become constants of the machine code; with the arrays in an object's fields each access
 * loads and checks them again (4.2 ns a route instead of 1, with ties 8 instead of 2). A second one in the same process
 * works as well and is as slow as that. The loop makes no call and has few branches: a call in it costs as much again.
 *
 * For the same reason `active` is read without Atomics.load, which in Node 20 is a call of 10 ns. A choice by a count that
 * is a moment old is still a good one; the reservation that follows is exact, and where it fails, the calls in it make
 * the next look a fresh one.
 */
import type { RouteTable } from '../shared/route-table.js';

/** What a search has found so far; arrays, because numbers in fields would be allocated. */
export interface Found {
  /** Word 0: the lowest score. */
  readonly lowest: Float64Array;
  /** The routes that have it; word 0 of `count` tells how many. */
  readonly equals: Int32Array;
  readonly count: Int32Array;
}

/** Looks at the routes `from` up to but without `to`. A route's score is `base` + its load. */
export type RouteScan = (base: number, from: number, to: number) => void;

export function createRouteScan(words: Int32Array, table: RouteTable, found: Found): RouteScan {
  const { activeAt, capacity, hardLimit } = table;
  const { lowest, equals, count } = found;
  return (base, from, to) => {
    let best = lowest[0] ?? 0;
    let equalCount = count[0] ?? 0;
    for (let route = from; route < to; route++) {
      const active = words[activeAt[route] ?? 0] ?? 0;
      const score = base + active / (capacity[route] ?? 1);
      if (score > best || active >= (hardLimit[route] ?? 0)) continue;
      if (score < best) {
        best = score;
        equalCount = 0;
      }
      equals[equalCount++] = route;
    }
    lowest[0] = best;
    count[0] = equalCount;
  };
}
