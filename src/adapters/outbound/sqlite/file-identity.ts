import { statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { foreignMessage } from '../foreign-message.js';
import { databaseError } from './sqlite-failure.js';

/**
 * What tells one state of a file from another without reading it. An inode's number cannot be used again while a
 * connection holds the file open, so a replaced file always differs; size and time tell a file written in place. The
 * time is ctime, because mtime can be set back (cp -p, rsync).
 */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly changedNs: bigint;
  /** False while two writes could still get the same time stamp: the kernel's clock for files ticks every 1 to 10 ms. */
  readonly isSettled: boolean;
}

const TICK_MS = 50;

/** The identity of the database file, null where there is none; throws where what lies there is no readable database. */
export function identifyFile(path: string): FileIdentity | null {
  const stats = statOrNull(path);
  if (stats === null) return null;
  if (!stats.isFile()) {
    const what = stats.isDirectory() ? 'is a directory' : 'is not a regular file';
    throw databaseError(path, 'EP_DB_NOT_A_FILE', what, { isRetryable: false, source: 'config' });
  }
  if (stats.size === 0n) throw databaseError(path, 'EP_DB_EMPTY', 'is an empty file', { isRetryable: true });
  return {
    device: stats.dev,
    inode: stats.ino,
    sizeBytes: stats.size,
    changedNs: stats.ctimeNs,
    isSettled: Math.abs(Date.now() - Number(stats.ctimeMs)) > TICK_MS,
  };
}

export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.device === other.device && one.inode === other.inode;
}

export function isSameState(one: FileIdentity, other: FileIdentity): boolean {
  return isSameFile(one, other) && one.sizeBytes === other.sizeBytes && one.changedNs === other.changedNs;
}

function statOrNull(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch (error) {
    throw databaseError(path, 'EP_DB_UNREADABLE', `cannot be read (${foreignMessage(error)})`, {
      isRetryable: true,
      cause: error,
    });
  }
}
