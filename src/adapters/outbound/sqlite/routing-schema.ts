/** The schema of the routing database, and new files that have it. */
import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import type { Backend } from '../../../domain/backend.js';
import { overrideValues } from '../../../domain/backend-overrides.js';
import type { OptionalColumn } from '../../../domain/backend-row.js';
import { foreignMessage } from '../foreign-message.js';
import { addColumn } from './backend-columns.js';
import { databaseError } from './sqlite-failure.js';

/** Without the optional columns, which are added when a value has to go into them. */
export const CREATE_BACKENDS = `CREATE TABLE backends (
  id TEXT PRIMARY KEY, app TEXT, region TEXT, country TEXT, wg_ip TEXT, port INTEGER,
  healthy INTEGER, weight INTEGER, soft_limit INTEGER, hard_limit INTEGER, deleted INTEGER );`;

/** How link(2) fails on FAT, on some network file systems and in some containers. */
const NO_HARD_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Makes a routing database with the given rows; false where the path is taken already. The file appears whole or not at
 * all: it is written beside its place and then put into it, which fails where another process was faster.
 */
export function createRoutingDatabase(path: string, backends: readonly Backend[] = []): boolean {
  const target = resolve(path);
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  try {
    writeDraft(draft, backends);
    place(draft, target);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw databaseError(path, 'EP_DB_UNWRITABLE', `cannot be created (${foreignMessage(error)})`, {
      isRetryable: false,
      cause: error,
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Fails with EEXIST where something is there. */
function place(draft: string, target: string): void {
  try {
    linkSync(draft, target);
  } catch (error) {
    if (!NO_HARD_LINKS.has(errnoOf(error))) throw error;
    // Claimed by an empty file, which readers know for one that is not ready yet.
    closeSync(openSync(target, 'wx'));
    replaceEmpty(draft, target);
  }
}

function replaceEmpty(draft: string, target: string): void {
  try {
    renameSync(draft, target);
  } catch (error) {
    rmSync(target, { force: true });
    throw error;
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
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
    writeOptional(database, backends);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}

function writeOptional(database: Database.Database, backends: readonly Backend[]): void {
  const added = new Set<string>();
  for (const { id, isDraining, overrides = {} } of backends) {
    const draining: [OptionalColumn, number][] = isDraining ? [['draining', 1]] : [];
    for (const [column, value] of [...draining, ...overrideValues(overrides)]) {
      if (!added.has(column)) database.exec(addColumn(column));
      added.add(column);
      database.prepare(`UPDATE backends SET ${column} = ? WHERE id = ?`).run(value, id);
    }
  }
}
