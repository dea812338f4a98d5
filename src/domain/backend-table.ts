import type { Backend } from './backend.js';
import { BACKEND_COLUMNS, BACKEND_DEFAULTS, isOptional, readBackendRow } from './backend-row.js';
import type { BackendColumn, BackendRow, OptionalColumn, RowWarning } from './backend-row.js';

/** Most warnings of one reading: a table full of nonsense must not become a log full of it. */
export const MAX_WARNINGS = 100;
/** Most rows looked at, deleted and unroutable ones included: about two seconds of a thread. */
export const MAX_ROWS = 1_000_000;

export interface BackendTableReading {
  readonly backends: readonly Backend[];
  readonly warnings: readonly RowWarning[];
}

/**
 * All routable rows of a table that has the given columns, at most `maxBackends`; of rows with the same id the first.
 * Takes no more rows from the iterator than it needs.
 */
export function readBackendTable(
  rows: Iterable<BackendRow>,
  columns: ReadonlySet<BackendColumn>,
  maxBackends: number,
): BackendTableReading {
  const backends = new Map<string, Backend>();
  const warnings = new BoundedWarnings();
  for (const column of BACKEND_COLUMNS) {
    if (!columns.has(column) && !isOptional(column)) warnings.add(missingColumn(column));
  }
  let position = 0;
  let cut: readonly RowWarning[] = [];
  for (const row of rows) {
    position++;
    if (position > MAX_ROWS) {
      cut = [leftOut(position, `the table has more than ${MAX_ROWS} rows`)];
      break;
    }
    const { backend, warnings: rowWarnings } = readBackendRow(row, position);
    if (backend !== null && !backends.has(backend.id) && backends.size >= maxBackends) {
      cut = [leftOut(position, `the table has more than ${maxBackends} backends`)];
      break;
    }
    for (const warning of rowWarnings) warnings.add(warning);
    if (backend === null) continue;
    if (backends.has(backend.id)) warnings.add(duplicateId(backend.id, position));
    else backends.set(backend.id, backend);
  }
  return { backends: [...backends.values()], warnings: [...warnings.all(), ...cut] };
}

/** Keeps the first MAX_WARNINGS and counts the rest. */
class BoundedWarnings {
  readonly #kept: RowWarning[] = [];
  #dropped = 0;

  add(warning: RowWarning): void {
    if (this.#kept.length < MAX_WARNINGS) this.#kept.push(warning);
    else this.#dropped++;
  }

  all(): readonly RowWarning[] {
    if (this.#dropped === 0) return this.#kept;
    const reason = `${this.#dropped} more warnings are not shown`;
    return [...this.#kept, { row: 'further rows', column: '*', reason, isSkipped: false }];
  }
}

function missingColumn(column: Exclude<BackendColumn, OptionalColumn>): RowWarning {
  if (column === 'id' || column === 'wg_ip' || column === 'port') {
    return { row: 'every row', column, reason: 'the table has no such column; no row can be routed', isSkipped: true };
  }
  const fallback = BACKEND_DEFAULTS[column];
  const reason = `the table has no such column; taken as ${fallback === '' ? 'empty' : fallback}`;
  return { row: 'every row', column, reason, isSkipped: false };
}

function duplicateId(id: string, position: number): RowWarning {
  const reason = `an earlier row has the same id; row ${position} is left out`;
  return { row: id, column: 'id', reason, isSkipped: true };
}

function leftOut(position: number, reason: string): RowWarning {
  return {
    row: `row ${position}`,
    column: '*',
    reason: `${reason}; it and the rows after it are left out`,
    isSkipped: true,
  };
}
