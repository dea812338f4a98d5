/** The schema of the routing database, and new files that have it. */
import { randomBytes } from 'node:crypto';
import { linkSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import type { Backend } from '../../../domain/backend.js';
import { addColumn } from './backend-columns.js';
import { databaseError } from './sqlite-failure.js';

/** Without `draining`, which `backend drain` adds when first needed. */
export const CREATE_BACKENDS = `CREATE TABLE backends (
  id TEXT PRIMARY KEY, app TEXT, region TEXT, country TEXT, wg_ip TEXT, port INTEGER,
  healthy INTEGER, weight INTEGER, soft_limit INTEGER, hard_limit INTEGER, deleted INTEGER );`;

/**
 * Makes a routing database with the given rows; false where the path is taken already. The file appears whole or not at
 * all: it is written beside its place and then linked into it, which fails where another process was faster.
 */
export function createRoutingDatabase(path: string, backends: readonly Backend[] = []): boolean {
  const target = resolve(path);
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  try {
    writeDraft(draft, backends);
    linkSync(draft, target);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    const detail = error instanceof Error ? error.message : String(error);
    throw databaseError(path, 'EP_DB_UNWRITABLE', `cannot be created (${detail})`, {
      isRetryable: false,
      cause: error,
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeDraft(draft: string, backends: readonly Backend[]): void {
  const database = new Database(draft);
  try {
    // Nobody else sees this file, and after a crash it is rubbish: no journal.
    database.pragma('journal_mode = OFF');
    database.exec(`BEGIN; ${CREATE_BACKENDS}`);
    const insert = database.prepare(
      `INSERT INTO backends VALUES (@id, @app, @region, @country, @address, @port,
        @healthy, @weight, @softLimit, @hardLimit, 0)`,
    );
    for (const backend of backends) insert.run({ ...backend, healthy: backend.isHealthy ? 1 : 0 });
    markDraining(database, backends);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

function markDraining(database: Database.Database, backends: readonly Backend[]): void {
  const draining = backends.filter(({ isDraining }) => isDraining);
  if (draining.length === 0) return;
  database.exec(addColumn('draining'));
  const mark = database.prepare('UPDATE backends SET draining = 1 WHERE id = ?');
  for (const { id } of draining) mark.run(id);
}
