/**
 * This proxy against one rival in one work: for each figure by how much it is better, as a dot for each round and a line at the
 * median, on a logarithmic scale so that twice as good is as far from 1 as half as good.
 */
import type { Sample, Work } from '../model.js';
import { median, pairedRatios } from '../statistics.js';
import { number } from '../tables.js';
import { isOurs } from './figure-plot.js';
import { element, type Markup } from './markup.js';

const LABEL_WIDTH = 330;
const PLOT_WIDTH = 300;
const VALUE_WIDTH = 60;
const ROW_HEIGHT = 20;
const TOP = 18;
const BOTTOM = 8;
/** Twofold steps on either side of 1; what is farther stands at the edge. */
const STEPS = 2;

interface Row {
  readonly label: string;
  /** Above 1 means better, whatever the figure is. */
  readonly rounds: readonly number[];
  readonly median: number;
}

/** Undefined where nothing can be compared. */
export function rivalPlot(
  work: Work,
  results: ReadonlyMap<string, readonly Sample[]>,
  rival: string,
): Markup | undefined {
  const rows = rowsOf(work, results, rival);
  if (rows.length === 0) return undefined;
  const height = TOP + rows.length * ROW_HEIGHT + BOTTOM;
  const marks = Array.from({ length: 2 * STEPS + 1 }, (_, index) => 2 ** (index - STEPS));
  return element(
    'figure',
    {},
    element('figcaption', {}, `against ${rival}: right of 1 × is better than ${rival}`),
    element(
      'svg',
      { viewBox: `0 0 ${LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH} ${height}`, role: 'img' },
      element('title', {}, `edgeproxy against ${rival} in ${work.name}`),
      marks.map((mark) => [
        element('line', {
          class: mark === 1 ? 'axis' : 'mark',
          x1: x(mark),
          x2: x(mark),
          y1: TOP,
          y2: height - BOTTOM,
        }),
        element('text', { class: 'tick', x: x(mark), y: TOP - 5 }, `${mark} ×`),
      ]),
      rows.map((row, index) => drawRow(row, TOP + index * ROW_HEIGHT + ROW_HEIGHT / 2)),
    ),
  );
}

function rowsOf(work: Work, results: ReadonlyMap<string, readonly Sample[]>, rival: string): Row[] {
  const base = results.get(rival);
  if (base === undefined) return [];
  return work.columns.flatMap(({ key, title, better }) =>
    better === undefined
      ? []
      : [...results].flatMap(([proxy, samples]) => {
          if (!isOurs(proxy)) return [];
          const rounds = pairedRatios(samples, base, key).flatMap((ratio) =>
            ratio > 0 ? [better === 'higher' ? ratio : 1 / ratio] : [],
          );
          const middle = median(rounds);
          return middle === undefined ? [] : [{ label: `${title}, ${proxy}`, rounds, median: middle }];
        }),
  );
}

function drawRow({ label, rounds, median: middle }: Row, y: number): Markup[] {
  const kind = middle >= 1 ? 'better' : 'worse';
  return [
    element('text', { class: 'name', x: LABEL_WIDTH - 8, y: y + 4 }, label),
    ...rounds.map((ratio) => element('circle', { class: kind, cx: x(ratio), cy: y, r: 2.5 })),
    element('line', { class: kind, x1: x(middle), x2: x(middle), y1: y - 7, y2: y + 7 }),
    element('text', { class: 'value', x: LABEL_WIDTH + PLOT_WIDTH + 8, y: y + 4 }, `${number(middle, 2)} ×`),
  ];
}

function x(ratio: number): number {
  const steps = Math.min(Math.max(Math.log2(ratio), -STEPS), STEPS);
  return LABEL_WIDTH + ((steps + STEPS) / (2 * STEPS)) * PLOT_WIDTH;
}
