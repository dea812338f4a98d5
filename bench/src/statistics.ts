/** Medians and paired ratios. */
import type { Sample } from './model.js';

export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export function medianOf(samples: readonly Sample[], key: string): number | undefined {
  return median(samples.flatMap((sample) => sample.figures[key] ?? []));
}

/** Both figures of each round that has them, so that drift of the machine cancels out. */
function pairs(mine: readonly Sample[], other: readonly Sample[], key: string): (readonly [number, number])[] {
  const otherByRound = new Map(other.map((sample) => [sample.round, sample.figures[key]]));
  return mine.flatMap((sample) => {
    const value = sample.figures[key];
    const base = otherByRound.get(sample.round);
    return value === undefined || base === undefined ? [] : [[value, base] as const];
  });
}

/** `mine / other` round by round. */
export function pairedRatios(mine: readonly Sample[], other: readonly Sample[], key: string): number[] {
  return pairs(mine, other, key).flatMap(([value, base]) => (base === 0 ? [] : [value / base]));
}

/** `mine - other` round by round. */
export function pairedDifferences(mine: readonly Sample[], other: readonly Sample[], key: string): number[] {
  return pairs(mine, other, key).map(([value, base]) => value - base);
}

export function pairedRatio(mine: readonly Sample[], other: readonly Sample[], key: string): number | undefined {
  return median(pairedRatios(mine, other, key));
}

/** Between these two lies the middle half. */
export function quartiles(values: readonly number[]): readonly [number, number] | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.round((sorted.length - 1) * part)] ?? 0;
  return [at(0.25), at(0.75)];
}
