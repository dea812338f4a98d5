import { stat } from 'node:fs/promises';

/** What tells one state of a file from another without reading it; null where there is none. */
export type FileState = string | null;

/** Never rejects: a file that cannot be looked at is none, and what is wrong with it is said when it is read. */
export async function fileState(path: string): Promise<FileState> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return null;
  }
}
