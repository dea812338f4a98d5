/** The known name that a mistyped one most likely meant, or null where none is near. */
export function nearestName(name: string, known: readonly string[]): string | null {
  if (name.length > LONGEST_NAME) return null;
  let nearest: string | null = null;
  let shortest = Math.max(1, Math.floor(name.length * LARGEST_SHARE)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance >= shortest) continue;
    shortest = distance;
    nearest = candidate;
  }
  return nearest;
}

const LONGEST_NAME = 100;
/** More than a third of the name wrong: another word, not a typing error. */
const LARGEST_SHARE = 1 / 3;

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, one each. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = at(last, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, substitution);
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (isSwap) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(costs: readonly number[], index: number): number {
  return costs[index] ?? Infinity;
}
