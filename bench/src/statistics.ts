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

/** The median over rounds of `mine / other` taken in the same round, so that drift of the machine cancels out. */
export function pairedRatio(mine: readonly Sample[], other: readonly Sample[], key: string): number | undefined {
  const otherByRound = new Map(other.map((sample) => [sample.round, sample.figures[key]]));
  const ratios = mine.flatMap((sample) => {
    const value = sample.figures[key];
    const base = otherByRound.get(sample.round);
    return value === undefined || base === undefined || base === 0 ? [] : [value / base];
  });
  return median(ratios);
}
