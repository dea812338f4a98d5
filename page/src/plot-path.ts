/** SVG path data of rates over time, in a box whose right edge is now. */
import { HISTORY_MS, type Rates } from './history.js';

export const WIDTH = 300;
export const HEIGHT = 80;

function x(atMs: number, nowMs: number): number {
  return WIDTH * (1 - (nowMs - atMs) / HISTORY_MS);
}

/** SVG path data, oldest first; empty below two points. */
export function pathOf(rates: readonly Rates[], of: (rates: Rates) => number, nowMs: number, most: number): string {
  if (rates.length < 2) return '';
  const points = rates.map(
    (each) => `${x(each.atMs, nowMs).toFixed(1)} ${(HEIGHT * (1 - of(each) / most)).toFixed(1)}`,
  );
  return `M${points.join('L')}`;
}

/** The same closed along the bottom. */
export function areaOf(path: string, rates: readonly Rates[], nowMs: number): string {
  const [first, last] = [rates[0], rates.at(-1)];
  if (path === '' || first === undefined || last === undefined) return '';
  return `${path}L${x(last.atMs, nowMs).toFixed(1)} ${HEIGHT}L${x(first.atMs, nowMs).toFixed(1)} ${HEIGHT}Z`;
}
