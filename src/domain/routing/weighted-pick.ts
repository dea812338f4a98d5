import type { Xorshift128 } from './xorshift128.js';

const UNIFORM = 2 ** -31;

/** Picks one of the first `count` routes in `equals`, each with a probability in proportion to its weight; -1 of none. */
export type WeightedPick = (count: number) => number;

/** A function made once over its arrays, for the reason that createRouteScan gives. */
export function createWeightedPick(weight: Float64Array, equals: Int32Array, random: Xorshift128): WeightedPick {
  return (count) => {
    if (count < 2) return count === 1 ? (equals[0] ?? -1) : -1;
    let total = 0;
    for (let index = 0; index < count; index++) total += weight[equals[index] ?? 0] ?? 0;
    let rest = random.next() * UNIFORM * total;
    for (let index = 0; index < count; index++) {
      const route = equals[index] ?? -1;
      rest -= weight[route] ?? 0;
      if (rest < 0) return route;
    }
    // Whole weights are subtracted exactly, so only the rounding of a part of a weight (a slow start) leads here.
    return equals[count - 1] ?? -1;
  };
}
