/**
 * Writes registrations into the routing database, blocking: a row of `backends` like any other, so that whoever reads that table
 * finds it, and beside it one of `registrations`, which says that it came by itself and when it was last heard of.
 */
import Database from 'better-sqlite3';
import type { ChangeOutcome, RowValues, StoredChange } from '../../../application/ports/registration-store.js';
import {
  BACKEND_COLUMNS,
  BACKEND_DEFAULTS,
  isDeletedRow,
  type BackendColumn,
  type BackendRow,
} from '../../../domain/backend-row.js';
import type { Heartbeat } from '../../../domain/discovery/registrations.js';
import { addColumn, backendColumns, quoteName, type ColumnNames } from './backend-columns.js';
import { identifyFile } from './file-identity.js';
import { databaseError, sqliteFailure } from './sqlite-failure.js';

export const CREATE_REGISTRATIONS = `CREATE TABLE IF NOT EXISTS registrations (
  id TEXT PRIMARY KEY, registered_at INTEGER NOT NULL, last_heartbeat_at INTEGER NOT NULL ) WITHOUT ROWID;`;

/** Long enough to sit out another writer; whoever registers waits for it. */
const BUSY_TIMEOUT_MS = 1000;
const HAS_REGISTRATIONS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'registrations'";
const DELETE_ALONE = 'DELETE FROM registrations WHERE id = ?';

type Value = string | number | null;

export class RegistrationTables {
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #nowMs: number;
  #columns: ColumnNames = new Map();

  /** `nowMs` since 1970. */
  private constructor(path: string, database: Database.Database, nowMs: number) {
    this.#path = path;
    this.#database = database;
    this.#nowMs = nowMs;
  }

  /**
   * Opens the file, does the work and closes it: a connection that is kept would go on writing into a file that has been
   * replaced. Throws an EdgeproxyError.
   */
  static use<T>(path: string, work: (tables: RegistrationTables) => T): T {
    if (identifyFile(path) === null)
      throw databaseError(path, 'EP_DB_MISSING', 'does not exist', { isRetryable: true });
    try {
      const database = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
      try {
        return work(new RegistrationTables(path, database, Date.now()));
      } finally {
        database.close();
      }
    } catch (error) {
      throw sqliteFailure(path, error);
    }
  }

  load(): Heartbeat[] {
    if (this.#database.prepare(HAS_REGISTRATIONS).get() === undefined) return [];
    const rows = this.#database
      .prepare<[], { id: unknown; at: unknown }>('SELECT id, last_heartbeat_at AS at FROM registrations')
      .all();
    return rows.flatMap(({ id, at }) => {
      const ageMs = typeof at === 'number' ? Math.max(0, this.#nowMs - at) : Infinity;
      return typeof id === 'string' ? [{ id, ageMs }] : [];
    });
  }

  /** All of it in one transaction, but for changes that the table refuses. */
  write(changes: readonly StoredChange[], heartbeats: readonly Heartbeat[], maxBackends: number): ChangeOutcome[] {
    return this.#database
      .transaction(() => {
        this.#database.exec(CREATE_REGISTRATIONS);
        this.#columns = backendColumns(this.#database, this.#path);
        this.#saveHeartbeats(heartbeats);
        return changes.map((change) => this.#tryChange(change, maxBackends));
      })
      .immediate();
  }

  #saveHeartbeats(heartbeats: readonly Heartbeat[]): void {
    const save = this.#database.prepare(
      'UPDATE registrations SET last_heartbeat_at = max(last_heartbeat_at, ?) WHERE id = ?',
    );
    for (const { id, ageMs } of heartbeats) save.run(Math.round(this.#nowMs - ageMs), id);
  }

  /** Tables from elsewhere may have constraints: what they refuse is the fault of that change alone. */
  #tryChange(change: StoredChange, maxBackends: number): ChangeOutcome {
    try {
      return this.#database.transaction(() => this.#change(change, maxBackends))();
    } catch (error) {
      if (!isConstraint(error)) throw error;
      return { kind: 'refused', reason: error.message };
    }
  }

  #change(change: StoredChange, maxBackends: number): ChangeOutcome {
    const rows = this.#rowsOf(change.id);
    const isThere = rows.some((row) => !isDeletedRow(row));
    if (change.kind === 'register') return this.#register(change, rows.length > 0, isThere, maxBackends);
    if (!isThere) return { kind: 'unknown' };
    if (change.kind === 'remove') return this.#remove(change.id);
    this.#update(change.id, change.values);
    return { kind: 'changed' };
  }

  #register(
    { id, values, defaults }: Extract<StoredChange, { kind: 'register' }>,
    hasRow: boolean,
    isThere: boolean,
    maxBackends: number,
  ): ChangeOutcome {
    if (isThere && !this.#isRegistered(id)) return { kind: 'foreign' };
    if (!isThere && this.#count() >= maxBackends) return { kind: 'full' };
    if (isThere) this.#update(id, values);
    else if (hasRow) this.#update(id, { ...defaults, ...values });
    else this.#insert({ ...defaults, ...values, id });
    this.#database
      .prepare(
        `INSERT INTO registrations (id, registered_at, last_heartbeat_at) VALUES (@id, @now, @now)
         ON CONFLICT (id) DO UPDATE SET last_heartbeat_at = @now`,
      )
      .run({ id, now: this.#nowMs });
    return { kind: isThere ? 'changed' : 'added' };
  }

  /** Whoever comes by itself goes without a trace; a row that somebody wrote is kept and marked, as `edgeproxy backend remove` does. */
  #remove(id: string): ChangeOutcome {
    if (this.#isRegistered(id)) {
      this.#database.prepare(`DELETE FROM backends WHERE ${this.#name('id')} = ?`).run(id);
    } else this.#update(id, { deleted: 1 });
    this.#database.prepare(DELETE_ALONE).run(id);
    return { kind: 'removed' };
  }

  #isRegistered(id: string): boolean {
    return this.#database.prepare('SELECT 1 FROM registrations WHERE id = ?').get(id) !== undefined;
  }

  #count(): number {
    const deleted = this.#columns.get('deleted');
    const where = deleted === undefined ? '' : ` WHERE ${quoteName(deleted)} IS NOT 1`;
    return this.#database.prepare<[], number>(`SELECT count(*) FROM backends${where}`).pluck().get() ?? 0;
  }

  #rowsOf(id: string): BackendRow[] {
    const deleted = this.#columns.get('deleted');
    const field = deleted === undefined ? '0' : quoteName(deleted);
    return this.#database
      .prepare<[string], BackendRow>(`SELECT ${field} AS deleted FROM backends WHERE ${this.#name('id')} = ?`)
      .all(id);
  }

  #insert(values: RowValues): void {
    const assigned = this.#assigned(values);
    const names = assigned.map(([name]) => name).join(', ');
    const places = assigned.map(() => '?').join(', ');
    this.#database
      .prepare(`INSERT INTO backends (${names}) VALUES (${places})`)
      .run(assigned.map(([, value]) => value));
  }

  #update(id: string, values: RowValues): void {
    const assigned = this.#assigned(values);
    if (assigned.length === 0) return;
    const fields = assigned.map(([name]) => `${name} = ?`).join(', ');
    this.#database
      .prepare(`UPDATE backends SET ${fields} WHERE ${this.#name('id')} = ?`)
      .run([...assigned.map(([, value]) => value), id]);
  }

  /** Names in the table with their values. A column that it lacks is added where its lack would mean another value. */
  #assigned(values: RowValues): [name: string, value: Value][] {
    const given = BACKEND_COLUMNS.flatMap((column): [BackendColumn, Value][] => {
      const value = values[column];
      return value === undefined ? [] : [[column, value]];
    });
    return given.flatMap(([column, value]): [string, Value][] => {
      const means = column in BACKEND_DEFAULTS ? BACKEND_DEFAULTS[column as keyof typeof BACKEND_DEFAULTS] : undefined;
      if (!this.#columns.has(column) && value === means) return [];
      return [[this.#name(column), value]];
    });
  }

  #name(column: BackendColumn): string {
    const name = this.#columns.get(column);
    if (name !== undefined) return quoteName(name);
    if (column === 'id' || column === 'wg_ip' || column === 'port') {
      const reason = `has no column ${column} in its table backends`;
      throw databaseError(this.#path, 'EP_DB_SCHEMA', reason, { isRetryable: false, source: 'config' });
    }
    this.#database.exec(addColumn(column));
    this.#columns = backendColumns(this.#database, this.#path);
    return quoteName(column);
  }
}

function isConstraint(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_CONSTRAINT');
}
