import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import type { ErrorSource } from '../../../domain/edgeproxy-error.js';
import { foreignMessage } from '../foreign-message.js';

interface FailureKind {
  readonly code: `EP_DB_${string}`;
  readonly isRetryable: boolean;
  /** Completes "routing database FILE …". */
  readonly reason: string;
}

const LOCKED: FailureKind = { code: 'EP_DB_LOCKED', isRetryable: true, reason: 'is locked by another process' };
const DAMAGED: FailureKind = { code: 'EP_DB_DAMAGED', isRetryable: true, reason: 'is damaged or half-written' };
const UNREADABLE: FailureKind = { code: 'EP_DB_UNREADABLE', isRetryable: true, reason: 'cannot be read' };
const UNWRITABLE: FailureKind = { code: 'EP_DB_UNWRITABLE', isRetryable: false, reason: 'cannot be written' };
const UNFINISHED: FailureKind = {
  code: 'EP_DB_UNFINISHED',
  isRetryable: true,
  reason: 'was left in the middle of a change by a process that died; `edgeproxy backend list` undoes the change',
};

/** By the primary result code (https://sqlite.org/rescode.html); the longer, extended codes come first. */
const FAILURES: readonly (readonly [prefix: string, kind: FailureKind])[] = [
  ['SQLITE_READONLY_RECOVERY', UNFINISHED],
  ['SQLITE_READONLY_ROLLBACK', UNFINISHED],
  ['SQLITE_READONLY', UNWRITABLE],
  ['SQLITE_FULL', UNWRITABLE],
  ['SQLITE_BUSY', LOCKED],
  ['SQLITE_LOCKED', LOCKED],
  ['SQLITE_PROTOCOL', LOCKED],
  ['SQLITE_CORRUPT', DAMAGED],
  ['SQLITE_NOTADB', DAMAGED],
  ['SQLITE_FORMAT', DAMAGED],
  ['SQLITE_CANTOPEN', UNREADABLE],
  ['SQLITE_IOERR', UNREADABLE],
  ['SQLITE_PERM', UNREADABLE],
  ['SQLITE_AUTH', UNREADABLE],
];
const OTHER: FailureKind = { code: 'EP_DB_FAILED', isRetryable: false, reason: 'cannot be used' };

/** Any failure of SQLite or of the file system as the error that the rest of the program knows. */
export function sqliteFailure(path: string, error: unknown): EdgeproxyError {
  if (error instanceof EdgeproxyError) return error;
  const sqliteCode = error instanceof Error && 'code' in error ? String(error.code) : '';
  const kind = FAILURES.find(([prefix]) => sqliteCode.startsWith(prefix))?.[1] ?? OTHER;
  return databaseError(
    path,
    kind.code,
    `${kind.reason} (${[sqliteCode, foreignMessage(error)].filter(Boolean).join(': ')})`,
    {
      isRetryable: kind.isRetryable,
      cause: error,
    },
  );
}

/** `reason` completes the sentence that starts with the path. */
export function databaseError(
  path: string,
  code: `EP_DB_${string}`,
  reason: string,
  options: { readonly isRetryable: boolean; readonly source?: ErrorSource; readonly cause?: unknown },
): EdgeproxyError {
  const { isRetryable, source = 'internal', cause } = options;
  return new EdgeproxyError(code, `routing database ${JSON.stringify(path)} ${reason}`, {
    source,
    isRetryable,
    context: { path, reason },
    ...(cause === undefined ? {} : { cause }),
  });
}
