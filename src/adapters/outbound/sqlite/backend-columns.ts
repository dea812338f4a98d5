/** The columns of the `backends` table as a given file has them. */
import type Database from 'better-sqlite3';
import { BACKEND_COLUMNS, BACKEND_DEFAULTS } from '../../../domain/backend-row.js';
import type { BackendColumn } from '../../../domain/backend-row.js';
import { isOverride, type OverrideColumn } from '../../../domain/backend-overrides.js';
import { databaseError } from './sqlite-failure.js';

/** Names of the columns in the file, by the names that we know: SQLite takes them in any case. */
export type ColumnNames = ReadonlyMap<BackendColumn, string>;

/** Longest value that is fetched; what is longer is wrong in every column and arrives as a blob. */
const MAX_VALUE_BYTES = 4096;

const OVERRIDE_TYPES: Readonly<Record<OverrideColumn, string>> = {
  health_port: 'INTEGER',
  health_interval_secs: 'REAL',
  health_type: 'TEXT',
  health_path: 'TEXT',
  drain_timeout_secs: 'REAL',
};

/** Throws where the table is missing. */
export function backendColumns(database: Database.Database, path: string): ColumnNames {
  const present = database.prepare<[], { name: string }>("SELECT name FROM pragma_table_xinfo('backends')").all();
  if (present.length === 0) {
    const reason = 'has no table `backends`';
    throw databaseError(path, 'EP_DB_SCHEMA', reason, { isRetryable: true, source: 'config' });
  }
  const names = new Map<BackendColumn, string>();
  for (const { name } of present) {
    const column = BACKEND_COLUMNS.find((known) => known === name.toLowerCase());
    if (column !== undefined) names.set(column, name);
  }
  return names;
}

/** A query for all rows, with the columns under our names. */
export function selectBackends(columns: ColumnNames): string {
  const fields = [...columns].map(([column, name]) => {
    const value = quoteName(name);
    return `iif(octet_length(${value}) > ${MAX_VALUE_BYTES}, x'00', ${value}) AS ${column}`;
  });
  // A table may have none of our columns and still rows.
  return `SELECT ${fields.length === 0 ? 'NULL' : fields.join(', ')} FROM backends`;
}

/** A statement that adds a column; rows that are there get its default, so that they mean what they meant before. */
export function addColumn(column: Exclude<BackendColumn, 'id' | 'wg_ip' | 'port'>): string {
  return `ALTER TABLE backends ADD COLUMN ${column} ${definitionOf(column)}`;
}

function definitionOf(column: Exclude<BackendColumn, 'id' | 'wg_ip' | 'port'>): string {
  if (isOverride(column)) return OVERRIDE_TYPES[column];
  const fallback = BACKEND_DEFAULTS[column];
  return fallback === '' ? "TEXT DEFAULT ''" : `INTEGER DEFAULT ${fallback}`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
