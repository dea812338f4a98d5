import type { BigIntStats } from 'node:fs';

/**
 * What tells one state of a file from another without reading it: the inode for a replacement, size and times for a
 * change in place; ctime, because mtime can be set back.
 */
export type FileIdentity = string;

export function fileIdentity(stats: BigIntStats): FileIdentity {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}
