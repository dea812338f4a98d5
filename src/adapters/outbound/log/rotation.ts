/** Renames a log file to FILE.1, FILE.1 to FILE.2 and so on. */
import { existsSync, renameSync, rmSync } from 'node:fs';

export interface RotationLimits {
  /** Of the file that is written to. */
  readonly maxBytes: number;
  /** Of the old ones, FILE.1 being the youngest. */
  readonly maxFiles: number;
}

/**
 * Each step is one rename, so whoever reads sees whole files, and a process that ends in between leaves a gap in the numbers,
 * which the next rotation fills. The oldest file is written over where there are as many as are kept. Throws what the file
 * system says; then `path` is where it was.
 */
export function rotate(path: string, maxFiles: number): void {
  let free = 1;
  while (free < maxFiles && existsSync(`${path}.${free}`)) free++;
  for (let number = free - 1; number >= 1; number--) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  renameSync(path, `${path}.1`);
  // There where fewer are kept than before.
  for (let number = maxFiles + 1; existsSync(`${path}.${number}`); number++) rmSync(`${path}.${number}`);
}
