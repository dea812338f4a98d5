import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Who cleans up: a test's context, or `{ after }` of node:test for a whole file. */
export interface Owner {
  after(action: () => void | Promise<void>): void;
}

/** A directory of its own under the system's, removed when the owner ends. */
export async function scratchDirectory(owner: Owner): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'edgeproxy-test-'));
  owner.after(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}
