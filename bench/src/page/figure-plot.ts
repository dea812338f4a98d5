/** One figure of one work: a bar to the median of each proxy, and a dot for each round. */
import type { Column, Sample } from '../model.js';
import { medianOf } from '../statistics.js';
import { number } from '../tables.js';
import { element, type Markup } from './markup.js';

const LABEL_WIDTH = 190;
const PLOT_WIDTH = 330;
const VALUE_WIDTH = 80;
const ROW_HEIGHT = 22;
const TOP = 6;
const BAR_HEIGHT = 12;

export function isOurs(proxy: string): boolean {
  return proxy.startsWith('edgeproxy');
}

/** Undefined where no proxy has the figure. */
export function figurePlot(column: Column, results: ReadonlyMap<string, readonly Sample[]>): Markup | undefined {
  const rows = [...results].flatMap(([proxy, samples]) => {
    const median = medianOf(samples, column.key);
    const rounds = samples.flatMap(({ figures }) => figures[column.key] ?? []);
    return median === undefined ? [] : [{ proxy, median, rounds }];
  });
  if (rows.length === 0) return undefined;
  const most = Math.max(...rows.flatMap(({ median, rounds }) => [median, ...rounds]), Number.MIN_VALUE);
  const x = (value: number): number => LABEL_WIDTH + (Math.max(value, 0) / most) * PLOT_WIDTH;
  const drawn = rows.map(({ proxy, median, rounds }, index) => {
    const middle = TOP + index * ROW_HEIGHT + ROW_HEIGHT / 2;
    const kind = isOurs(proxy) ? 'ours' : 'rival';
    return [
      element('text', { class: 'name', x: LABEL_WIDTH - 8, y: middle + 4 }, proxy),
      element('rect', {
        class: kind,
        x: LABEL_WIDTH,
        y: middle - BAR_HEIGHT / 2,
        width: x(median) - LABEL_WIDTH,
        height: BAR_HEIGHT,
      }),
      rounds.map((value) => element('circle', { class: 'round', cx: x(value), cy: middle, r: 2 })),
      element(
        'text',
        { class: 'value', x: LABEL_WIDTH + PLOT_WIDTH + 8, y: middle + 4 },
        number(median, column.digits),
      ),
    ];
  });
  const height = TOP * 2 + rows.length * ROW_HEIGHT;
  const wish = column.better === undefined ? '' : ` (${column.better} is better)`;
  return element(
    'figure',
    {},
    element('figcaption', {}, `${column.title}${wish}`),
    element(
      'svg',
      { viewBox: `0 0 ${LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH} ${height}`, role: 'img' },
      element('title', {}, `${column.title} by proxy`),
      element('line', { class: 'axis', x1: LABEL_WIDTH, x2: LABEL_WIDTH, y1: TOP, y2: height - TOP }),
      drawn,
    ),
  );
}
