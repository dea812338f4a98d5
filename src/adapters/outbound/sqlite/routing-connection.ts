import Database from 'better-sqlite3';
import type { BackendRow } from '../../../domain/backend-row.js';
import { readBackendTable } from '../../../domain/backend-table.js';
import type { BackendTableReading } from '../../../domain/backend-table.js';
import { backendColumns, selectBackends } from './backend-columns.js';
import { identifyFile, isSameFile, isSameState } from './file-identity.js';
import type { FileIdentity } from './file-identity.js';

import { databaseError } from './sqlite-failure.js';

/** One read-only connection to the routing database. Its methods throw what SQLite throws. */
export class RoutingConnection {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #dataVersion: Database.Statement<[], number>;

  constructor(path: string, busyTimeoutMs: number) {
    this.#path = path;
    this.#database = new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
    try {
      // Files from elsewhere: distrust their views and page contents; never map them, a truncated mapping is a SIGBUS.
      this.#database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0');
      this.#dataVersion = this.#database.prepare<[], number>('PRAGMA data_version').pluck();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Changes whenever another connection has committed; comparable only with values of this connection. */
  dataVersion(): number {
    return this.#dataVersion.get() ?? -1;
  }

  /** The table and the data version it belongs to, read in one transaction. */
  readTable(maxBackends: number): BackendTableReading & { readonly dataVersion: number } {
    return this.#database.transaction(() => {
      const dataVersion = this.dataVersion();
      const before = identifyFile(this.#path);
      const columns = backendColumns(this.#database, this.#path);
      const rows = this.#database.prepare<[], BackendRow>(selectBackends(columns)).iterate();
      const reading = readBackendTable(rows, new Set(columns.keys()), maxBackends);
      this.#refuseTorn(before);
      return { ...reading, dataVersion };
    })();
  }

  close(): void {
    this.#database.close();
  }

  /**
   * SQLite's writers leave the file alone while we hold our lock (but for checkpoints of a WAL), so a file that changed
   * under it is being overwritten by something else, such as cp, and what was read may be half of each.
   */
  #refuseTorn(before: FileIdentity | null): void {
    const after = identifyFile(this.#path);
    if (before === null || after === null || !isSameFile(before, after) || isSameState(before, after)) return;
    if (this.#database.pragma('journal_mode', { simple: true }) === 'wal') return;
    throw databaseError(this.#path, 'EP_DB_DAMAGED', 'is being overwritten', { isRetryable: true });
  }
}
