/** The tables of `edgeproxy top`: what is in them, and by what they can be sorted. */
import type { WorkerRow } from '../answers.js';
import { formatBytes, formatSecs } from '../quantities.js';
import { addressOf, BACKEND_COLUMNS, sumOf, WORKER_COLUMNS } from '../status-text.js';
import type { Column } from '../text-table.js';
import { ratedBackends, ratedConnections, type RatedBackend, type RatedConnection, type Snapshot } from './rates.js';

export interface SortableColumn<Row> extends Column<Row> {
  /** Numbers are sorted from the largest, texts from the first. */
  readonly key: (row: Row) => number | string;
}

interface ViewOf<Row> {
  readonly columns: readonly SortableColumn<Row>[];
  /** The column that it is sorted by at first. */
  readonly sortedBy: number;
  readonly rows: (before: Snapshot | null, now: Snapshot) => readonly Row[];
}

export const VIEW_NAMES = ['backends', 'connections', 'workers'] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

/** A view with its rows as texts, sorted. */
export interface FilledView {
  readonly titles: readonly string[];
  readonly columns: readonly Column<readonly string[]>[];
  readonly rows: readonly (readonly string[])[];
}

const perSec = (value: number): string => value.toFixed(1);

const BACKENDS: ViewOf<RatedBackend> = {
  columns: [
    ...withKeys<RatedBackend>(BACKEND_COLUMNS, {
      ACTIVE: (row) => row.active,
      TOTAL: (row) => row.connections_total,
      ERRORS: (row) => sumOf(row.errors),
      'CONNECT MS': (row) => row.rtt_ms ?? -1,
    }),
    { title: 'CONN/S', isNumber: true, text: (row) => perSec(row.connectsPerSec), key: (row) => row.connectsPerSec },
    { title: 'ERR/S', isNumber: true, text: (row) => perSec(row.errorsPerSec), key: (row) => row.errorsPerSec },
  ],
  sortedBy: 5,
  rows: ratedBackends,
};

const CONNECTIONS: ViewOf<RatedConnection> = {
  columns: [
    { title: 'CLIENT', text: clientOf, key: clientOf },
    { title: 'LISTENER', text: (row) => row.listener, key: (row) => row.listener },
    { title: 'BACKEND', text: (row) => row.backend ?? '', key: (row) => row.backend ?? '' },
    { title: 'STATE', text: (row) => row.state, key: (row) => row.state },
    { title: 'WORKER', isNumber: true, text: (row) => String(row.worker), key: (row) => row.worker },
    { title: 'AGE', isNumber: true, text: (row) => formatSecs(row.age_ms / 1000), key: (row) => row.age_ms },
    { title: 'IDLE', isNumber: true, text: (row) => formatSecs(row.idle_ms / 1000), key: (row) => row.idle_ms },
    { title: 'SENT', isNumber: true, text: (row) => formatBytes(row.bytes_sent), key: (row) => row.bytes_sent },
    {
      title: 'RECEIVED',
      isNumber: true,
      text: (row) => formatBytes(row.bytes_received),
      key: (row) => row.bytes_received,
    },
    { title: 'SENT/S', isNumber: true, text: (row) => formatBytes(row.sentPerSec), key: (row) => row.sentPerSec },
    {
      title: 'RECV/S',
      isNumber: true,
      text: (row) => formatBytes(row.receivedPerSec),
      key: (row) => row.receivedPerSec,
    },
  ],
  sortedBy: 9,
  rows: ratedConnections,
};

const WORKERS: ViewOf<WorkerRow> = {
  columns: withKeys(WORKER_COLUMNS, {
    WORKER: (row) => -row.id,
    PID: (row) => row.pid ?? -1,
    CONNECTIONS: (row) => row.connections,
    'LAG MS': (row) => row.event_loop_lag_ms,
    RESTARTS: (row) => row.restarts,
  }),
  sortedBy: 0,
  rows: (_before, now) => now.workers,
};

const VIEWS = { backends: BACKENDS, connections: CONNECTIONS, workers: WORKERS } as const;

export function columnsOf(name: ViewName): number {
  return VIEWS[name].columns.length;
}

export function firstSortOf(name: ViewName): number {
  return VIEWS[name].sortedBy;
}

export function fillView(
  name: ViewName,
  before: Snapshot | null,
  now: Snapshot,
  sortedBy: number,
  isReversed: boolean,
): FilledView {
  if (name === 'backends') return fill(BACKENDS, before, now, sortedBy, isReversed);
  if (name === 'connections') return fill(CONNECTIONS, before, now, sortedBy, isReversed);
  return fill(WORKERS, before, now, sortedBy, isReversed);
}

function fill<Row>(
  { columns, rows }: ViewOf<Row>,
  before: Snapshot | null,
  now: Snapshot,
  sortedBy: number,
  isReversed: boolean,
): FilledView {
  const key = columns[sortedBy]?.key ?? (() => 0);
  const sign = isReversed ? -1 : 1;
  // Formatted once, sorted by what stands behind it.
  const sorted = rows(before, now).map((row) => ({ key: key(row), cells: columns.map((column) => column.text(row)) }));
  sorted.sort((a, b) => sign * compare(a.key, b.key));
  const titles = columns.map(({ title }, index) => (index === sortedBy ? `${title}${isReversed ? '↑' : '↓'}` : title));
  return {
    titles,
    columns: columns.map(({ isNumber }, index) => ({
      title: titles[index] ?? '',
      ...(isNumber === true ? { isNumber } : {}),
      text: (cells: readonly string[]) => cells[index] ?? '',
    })),
    rows: sorted.map(({ cells }) => cells),
  };
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return b - a;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

function withKeys<Row>(
  columns: readonly Column<Row>[],
  keys: Readonly<Record<string, (row: Row) => number>>,
): readonly SortableColumn<Row>[] {
  return columns.map((column) => ({ ...column, key: keys[column.title] ?? ((row: Row) => column.text(row)) }));
}

function clientOf(row: RatedConnection): string {
  return addressOf({ ip: row.client_ip, port: row.client_port });
}
