/** What `edgeproxy backend list` prints: the rows as the proxy reads them. */
import type { Backend } from '../domain/backend.js';
import { overrideValues } from '../domain/backend-overrides.js';
import { isDeletedRow } from '../domain/backend-row.js';
import type { BackendColumn, BackendRow, RowWarning } from '../domain/backend-row.js';
import { readBackendTable } from '../domain/backend-table.js';

export interface ListFilter {
  readonly app?: string;
  readonly region?: string;
  readonly isWithRemoved: boolean;
}

export interface ListedBackend extends Backend {
  readonly isRemoved: boolean;
}

export interface BackendList {
  readonly backends: readonly ListedBackend[];
  readonly warnings: readonly RowWarning[];
}

const HEADINGS = ['ID', 'APP', 'REGION', 'COUNTRY', 'ADDRESS', 'PORT', 'STATE', 'WEIGHT', 'SOFT', 'HARD'] as const;
/** Columns of numbers, which stand at the right. */
const NUMBERS: readonly string[] = ['PORT', 'WEIGHT', 'SOFT', 'HARD'];

export function listBackends(
  rows: readonly BackendRow[],
  columns: ReadonlySet<BackendColumn>,
  filter: ListFilter,
): BackendList {
  const { backends, warnings } = readBackendTable(rows, columns, Infinity);
  const removed = filter.isWithRemoved ? removedBackends(rows, columns) : [];
  const all = [
    ...backends.map((backend) => ({ ...backend, isRemoved: false })),
    ...removed.map((backend) => ({ ...backend, isRemoved: true })),
  ];
  const wantedRegion = filter.region?.toLowerCase();
  const isWanted = ({ app, region }: Backend): boolean =>
    (filter.app === undefined || app === filter.app) && (wantedRegion === undefined || region === wantedRegion);
  return { backends: all.filter(isWanted), warnings };
}

/** Names are those of the routing database and of the API. */
export function formatJson(backends: readonly ListedBackend[]): string {
  const rows = backends.map((backend) => ({
    id: backend.id,
    app: backend.app,
    region: backend.region,
    country: backend.country,
    ip: backend.address,
    port: backend.port,
    healthy: backend.isHealthy,
    draining: backend.isDraining,
    weight: backend.weight,
    soft_limit: backend.softLimit,
    hard_limit: backend.hardLimit,
    deleted: backend.isRemoved,
    ...Object.fromEntries(overrideValues(backend.overrides ?? {})),
  }));
  return `${JSON.stringify(rows, null, 2)}\n`;
}

export function formatTable(backends: readonly ListedBackend[]): string {
  const rows = [HEADINGS, ...backends.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((cell, column) => pad(cell, widths[column] ?? 0, HEADINGS[column] ?? '')).join('  '),
  );
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
}

function removedBackends(rows: readonly BackendRow[], columns: ReadonlySet<BackendColumn>): readonly Backend[] {
  const removed = rows.filter(isDeletedRow).map((row) => ({ ...row, deleted: 0 }));
  return readBackendTable(removed, columns, Infinity).backends;
}

function cells(backend: ListedBackend): readonly string[] {
  const { id, app, region, country, address, port, weight, softLimit, hardLimit } = backend;
  const texts = [id, app, region, country].map((text) => (text === '' ? '-' : text));
  const place = [address, port === 0 ? '-' : String(port)];
  return [...texts, ...place, state(backend), ...[weight, softLimit, hardLimit].map(String)];
}

function state({ isRemoved, isHealthy, isDraining }: ListedBackend): string {
  if (isRemoved) return 'removed';
  if (!isHealthy) return isDraining ? 'disabled, draining' : 'disabled';
  return isDraining ? 'draining' : 'enabled';
}

function pad(cell: string, width: number, heading: string): string {
  return NUMBERS.includes(heading) ? cell.padStart(width) : cell.padEnd(width);
}
