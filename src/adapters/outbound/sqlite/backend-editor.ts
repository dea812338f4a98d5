import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import Database from 'better-sqlite3';
import {
  BACKEND_COLUMNS,
  BACKEND_DEFAULTS,
  isDeletedRow,
  isOptional,
  isPlainText,
} from '../../../domain/backend-row.js';
import type { BackendColumn, BackendRow } from '../../../domain/backend-row.js';
import type { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { addColumn, backendColumns, quoteName, selectBackends } from './backend-columns.js';
import type { ColumnNames } from './backend-columns.js';
import { identifyFile } from './file-identity.js';
import { createRoutingDatabase } from './routing-schema.js';
import { databaseError, sqliteFailure } from './sqlite-failure.js';

/** Values by column, already checked; null takes one away from a column that may be without. */
export type BackendValues = Readonly<Partial<Record<BackendColumn, string | number | null>>>;
export type NewBackendValues = BackendValues & {
  readonly id: string;
  readonly wg_ip: string;
  /** null with `unix:/path`. */
  readonly port: number | null;
};

export type ChangeOutcome =
  | { readonly kind: 'changed' }
  /** The row is there, but deleted already. */
  | { readonly kind: 'removed' }
  /** With the ids of all rows that are not removed, for a suggestion. */
  | { readonly kind: 'unknown'; readonly knownIds: readonly string[] };

/** Long enough to sit out another writer, short enough for a person at a terminal. */
const BUSY_TIMEOUT_MS = 2000;

/**
 * Edits the routing database, each change in one transaction, while the proxy reads. Old databases are taken as they
 * are: a column is added only when a value has to go into it. Throws EdgeproxyErrors.
 */
export class BackendEditor {
  readonly #path: string;
  readonly #database: Database.Database;

  private constructor(path: string, database: Database.Database) {
    this.#path = path;
    this.#database = database;
  }

  /** `add` alone makes a database where there is none: every other command has mistyped its name then. */
  static open(file: string, { mayCreate }: { readonly mayCreate: boolean }): BackendEditor {
    const path = resolve(file);
    if (mayCreate && !existsSync(path)) createRoutingDatabase(path);
    if (identifyFile(path) === null) {
      throw databaseError(path, 'EP_DB_MISSING', 'does not exist; `edgeproxy backend add` makes it', {
        isRetryable: false,
      });
    }
    try {
      return new BackendEditor(path, new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS }));
    } catch (error) {
      throw sqliteFailure(path, error);
    }
  }

  /** All rows as they are, removed ones included. */
  rows(): { readonly rows: readonly BackendRow[]; readonly columns: ReadonlySet<BackendColumn> } {
    return this.#transaction('deferred', () => {
      const columns = this.#columns();
      return { rows: this.#select(columns), columns: new Set(columns.keys()) };
    });
  }

  /** Columns that are not given get their defaults. A row that was removed comes back as a new one. */
  add(values: NewBackendValues): 'added' | 'revived' | 'exists' {
    return this.#transaction('immediate', () => {
      const existing = this.#select(this.#columns()).filter((row) => row.id === values.id);
      if (existing.some((row) => !isDeletedRow(row))) return 'exists';
      const columns = this.#columnsFor(columnsOf(values));
      const row = { ...BACKEND_DEFAULTS, ...values };
      if (existing.length === 0) this.#insert(columns, row);
      else this.#update(columns, values.id, row);
      return existing.length === 0 ? 'added' : 'revived';
    });
  }

  change(id: string, values: BackendValues): ChangeOutcome {
    return this.#transaction('immediate', () => {
      const rows = this.#select(this.#columns());
      const existing = rows.filter((row) => row.id === id);
      const knownIds = rows.filter((row) => !isDeletedRow(row)).map((row) => row.id);
      if (existing.length === 0) return { kind: 'unknown', knownIds: knownIds.filter(isPlainText) };
      if (existing.every(isDeletedRow)) return { kind: 'removed' };
      // What the lack of an optional column means needs no column.
      const needed = columnsOf(values).filter(
        (column) => !isOptional(column) || values[column] !== BACKEND_DEFAULTS[column],
      );
      this.#update(this.#columnsFor(needed), id, values);
      return { kind: 'changed' };
    });
  }

  close(): void {
    this.#database.close();
  }

  #transaction<T>(mode: 'deferred' | 'immediate', work: () => T): T {
    try {
      return this.#database.transaction(work)[mode]();
    } catch (error) {
      throw sqliteFailure(this.#path, error);
    }
  }

  #columns(): ColumnNames {
    return backendColumns(this.#database, this.#path);
  }

  #columnsFor(needed: readonly BackendColumn[]): ColumnNames {
    const present = this.#columns();
    for (const column of needed.filter((name) => !present.has(name))) {
      if (column === 'id' || column === 'wg_ip' || column === 'port') throw this.#lacks(column);
      this.#database.exec(addColumn(column));
    }
    return this.#columns();
  }

  #select(columns: ColumnNames): BackendRow[] {
    return this.#database.prepare<[], BackendRow>(selectBackends(columns)).all();
  }

  #insert(columns: ColumnNames, values: BackendValues): void {
    const assigned = assignments(columns, values);
    const names = assigned.map(([name]) => name).join(', ');
    const places = assigned.map(() => '?').join(', ');
    this.#database
      .prepare(`INSERT INTO backends (${names}) VALUES (${places})`)
      .run(assigned.map(([, value]) => value));
  }

  #update(columns: ColumnNames, id: string, values: BackendValues): void {
    const assigned = assignments(columns, values);
    const idName = columns.get('id');
    if (idName === undefined) throw this.#lacks('id');
    const changes = assigned.map(([name]) => `${name} = ?`).join(', ');
    this.#database
      .prepare(`UPDATE backends SET ${changes} WHERE ${quoteName(idName)} = ?`)
      .run([...assigned.map(([, value]) => value), id]);
  }

  #lacks(column: BackendColumn): EdgeproxyError {
    const reason = `has no column ${column} in its table backends`;
    return databaseError(this.#path, 'EP_DB_SCHEMA', reason, { isRetryable: false, source: 'config' });
  }
}

function columnsOf(values: BackendValues): BackendColumn[] {
  return BACKEND_COLUMNS.filter((column) => values[column] !== undefined);
}

/** Quoted names and values of the columns that the table has. */
function assignments(columns: ColumnNames, values: BackendValues): [name: string, value: string | number | null][] {
  const assigned: [string, string | number | null][] = [];
  for (const [column, name] of columns) {
    const value = values[column];
    if (value !== undefined) assigned.push([quoteName(name), value]);
  }
  return assigned;
}
