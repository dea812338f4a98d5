/** One picture of `edgeproxy top`, line by line, cut to the terminal. */
import { cut, pad } from '../clean-text.js';
import { formatBytes, formatCount, formatSecs } from '../quantities.js';
import { sumOf } from '../status-text.js';
import { tableLines } from '../text-table.js';
import { rateBetween, type Snapshot } from './rates.js';
import { fillView, type ViewName } from './views.js';

export interface TopState {
  readonly view: ViewName;
  /** Index of the column. */
  readonly sortedBy: number;
  readonly isReversed: boolean;
  /** Rows above the first that is shown. */
  readonly offset: number;
  /** Why the last look failed; null where it did not. */
  readonly problem: string | null;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Frame {
  readonly lines: readonly string[];
  /** The line of the table's titles, and of what went wrong; -1 = none. */
  readonly titleLine: number;
  readonly problemLine: number;
}

const HELP = 'q quit  b backends  c connections  w workers  s sort  r reverse  j/k scroll';

/** Never more lines than the terminal has, nor longer ones. */
export function frameOf(before: Snapshot | null, now: Snapshot, state: TopState, { columns, rows }: Size): Frame {
  const {
    titles,
    columns: tableColumns,
    rows: cells,
  } = fillView(state.view, before, now, state.sortedBy, state.isReversed);
  const head = [...summary(before, now), state.problem ?? noteOf(now, state.view, cells.length)];
  const room = Math.max(0, rows - head.length - 2);
  const offset = Math.min(state.offset, Math.max(0, cells.length - room));
  const table = titles.length === 0 ? [] : tableLines(tableColumns, cells.slice(offset, offset + room));
  const body = [...table, ...Array<string>(room + 1).fill('')].slice(0, room + 1);
  const lines = [...head, ...body, HELP].slice(0, rows).map((line) => cut(line, columns));
  const titleLine = head.length < rows ? head.length : -1;
  if (titleLine >= 0) lines[titleLine] = pad(lines[titleLine] ?? '', columns, false);
  return { lines, titleLine, problemLine: state.problem !== null && head.length <= rows ? head.length - 1 : -1 };
}

function summary(before: Snapshot | null, now: Snapshot): string[] {
  const { stats, workers } = now;
  const rate = rateBetween(before, now);
  const old = before?.stats;
  const perSec = (count: number, earlier: number | undefined): string => rate(count, earlier).toFixed(1);
  const { connections, bytes } = stats;
  const rejected = perSec(sumOf(connections.rejected), old && sumOf(old.connections.rejected));
  const states = new Map<string, number>();
  for (const { state } of workers) states.set(state, (states.get(state) ?? 0) + 1);
  const title = `edgeproxy ${stats.version} on ${stats.node} (${stats.region}), up ${formatSecs(stats.uptime_secs)}`;
  return [
    stats.draining ? `${title}, draining` : title,
    `connections ${formatCount(connections.active)}  +${perSec(connections.total, old?.connections.total)}/s  ` +
      `rejected ${rejected}/s  udp sessions ${formatCount(stats.udp.sessions)}  bindings ${formatCount(stats.bindings)}`,
    `sent ${formatBytes(rate(bytes.sent, old?.bytes.sent))}/s  received ${formatBytes(rate(bytes.received, old?.bytes.received))}/s  ` +
      `workers ${Array.from(states, ([state, count]) => `${count} ${state}`).join(', ')}`,
  ];
}

/** What the table does not show. */
function noteOf({ backends, connections, stats }: Snapshot, view: ViewName, shown: number): string {
  if (view === 'backends' && backends.total > shown)
    return `the first ${formatCount(shown)} of ${formatCount(backends.total)} backends`;
  if (view !== 'connections' || connections === null) return '';
  const missing = connections.missing_workers;
  const part =
    connections.next_cursor === null
      ? ''
      : `the first ${formatCount(shown)} of about ${formatCount(stats.connections.active)}`;
  return [part, missing.length === 0 ? '' : `no answer from worker ${missing.join(', ')}`]
    .filter((it) => it !== '')
    .join('; ');
}
