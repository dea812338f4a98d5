/** Reads a database whole, as it was at one moment: a file that changes meanwhile is refused. Blocks; for threads only. */
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import type { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { fileIdentity, type FileIdentity } from './file-identity.js';
import { geoError, type GeoErrorCode } from './geo-error.js';

export interface MmdbFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly identity: FileIdentity;
}

/** Any other failure lies with the file itself. */
const CODE_BY_ERRNO: ReadonlyMap<string, GeoErrorCode> = new Map([
  ['ENOENT', 'EP_GEO_MISSING'],
  ['ENOTDIR', 'EP_GEO_MISSING'],
  ['EMFILE', 'EP_GEO_LOAD'],
  ['ENFILE', 'EP_GEO_LOAD'],
  ['ENOMEM', 'EP_GEO_LOAD'],
  ['EIO', 'EP_GEO_LOAD'],
]);

export function readMmdbFile(path: string, maxFileBytes: number): MmdbFile {
  const fd = open(path);
  try {
    const stats = fstatSync(fd, { bigint: true });
    const bytes = Buffer.allocUnsafeSlow(checkedSize(path, stats, maxFileBytes));
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(fd, bytes, filled, bytes.length - filled, null);
      if (count === 0) break;
      filled += count;
    }
    const identity = fileIdentity(stats);
    if (filled < bytes.length || fileIdentity(fstatSync(fd, { bigint: true })) !== identity) {
      throw geoError({
        code: 'EP_GEO_CHANGED',
        path,
        found: 'a file that changed while it was read',
        expected: 'a file at rest',
      });
    }
    return { path, bytes, identity };
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number {
  try {
    // O_NONBLOCK: opening a pipe without a writer would wait for one.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The error for a path that stat or open fails on. */
export function unreadable(path: string, cause: unknown): EdgeproxyError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const code = CODE_BY_ERRNO.get(errno) ?? 'EP_GEO_UNREADABLE';
  const found = code === 'EP_GEO_MISSING' ? 'no such file' : errno;
  return geoError({ code, path, found, expected: 'a database that this process can read' }, cause);
}

function checkedSize(path: string, stats: BigIntStats, maxFileBytes: number): number {
  if (!stats.isFile()) {
    throw geoError({
      code: 'EP_GEO_UNREADABLE',
      path,
      found: 'a directory, pipe or device',
      expected: 'a regular file',
    });
  }
  if (stats.size === 0n) {
    throw geoError({ code: 'EP_GEO_DAMAGED', path, found: 'an empty file', expected: 'a MaxMind DB file' });
  }
  if (stats.size > maxFileBytes) {
    throw geoError({
      code: 'EP_GEO_TOO_LARGE',
      path,
      found: `${String(stats.size)} bytes`,
      expected: `at most ${maxFileBytes}`,
    });
  }
  return Number(stats.size);
}
