/**
 * The sequence of smooth weighted round robin, as nginx has it: at each place every route gains its weight, the one that has
 * most is next and loses the sum of all weights. 3, 1, 1 make a b a c a: nobody's turns come in a bunch.
 *
 * Built once for a pool and looked up by place, so that workers share it by sharing a place. Built naively it takes its
 * length times the routes; but routes of equal weight take turns in their order, so only the first of each such group is
 * compared. For 1,000 routes of 3 weights these are 6,000 comparisons instead of 2,000,000.
 */

/** Places that a sequence has at least room for; with more than a quarter as many routes, four for each route. */
const LONGEST = 16_384;
const PLACES_PER_ROUTE = 4;
/** Parts of a weight, from slow start, are thousandths. */
const PARTS = 1000;

/** Routes of one weight. */
interface Group {
  readonly turns: number;
  /** Positions in the pool, ascending. */
  readonly members: number[];
  /** The member whose turn is next, and what it has gained. */
  next: number;
  gain: number;
}

export class SmoothSequence {
  /** The first `length` count. */
  routes = new Int32Array(0);
  length = 0;

  /**
   * Makes it the sequence of the first `count` of `routes`; `weight`, by route, has whole numbers or thousandths of such. Where the
   * sequence would be longer than 16,384 places and four for each route, weights are rounded to parts of that.
   */
  build(routes: Int32Array, count: number, weight: Float64Array | Int32Array): void {
    const turns = turnsOf(routes, count, weight);
    this.length = turns.reduce((sum, own) => sum + own, 0);
    if (this.routes.length < this.length) this.routes = new Int32Array(this.length);
    const groups = groupByTurns(turns);
    for (let place = 0; place < this.length; place++) {
      const group = nextGroup(groups);
      this.routes[place] = routes[group.members[group.next] ?? 0] ?? 0;
      group.next++;
      if (group.next < group.members.length) continue;
      group.next = 0;
      group.gain -= this.length;
    }
  }
}

/** How often each comes in one sequence: at least once, and as few as their ratio allows. */
function turnsOf(routes: Int32Array, count: number, weight: Float64Array | Int32Array): number[] {
  const parts = Array.from(routes.subarray(0, count), (route) => Math.max(1, Math.round((weight[route] ?? 1) * PARTS)));
  const divisor = parts.reduce(greatestCommonDivisor, 0);
  const total = parts.reduce((sum, part) => sum + part / divisor, 0);
  const longest = Math.max(LONGEST, count * PLACES_PER_ROUTE);
  if (total <= longest) return parts.map((part) => part / divisor);
  return parts.map((part) => Math.max(1, Math.round((part / divisor) * (longest / total))));
}

function groupByTurns(turns: readonly number[]): Group[] {
  const groups = new Map<number, Group>();
  for (const [position, own] of turns.entries()) {
    const group = groups.get(own);
    if (group === undefined) groups.set(own, { turns: own, members: [position], next: 0, gain: 0 });
    else group.members.push(position);
  }
  return [...groups.values()];
}

/** Every group gains; the one that has most, among equals the one whose member comes first. */
function nextGroup(groups: readonly Group[]): Group {
  let best = groups[0];
  if (best === undefined) throw new RangeError('a sequence of nothing has no place');
  for (const group of groups) {
    group.gain += group.turns;
    const isFirst = group.gain === best.gain && positionOf(group) < positionOf(best);
    if (group.gain > best.gain || isFirst) best = group;
  }
  return best;
}

function positionOf(group: Group): number {
  return group.members[group.next] ?? 0;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [larger, smaller] = [a, b];
  while (smaller > 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}
