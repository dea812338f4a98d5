import { readFileSync } from 'node:fs';
import { eventually } from './eventually.js';
import type { Owner } from './scratch-directory.js';

/** SIGSTOP; resolves when all of it stands still. It goes on when the owner ends, if not before. */
export async function pause(owner: Owner, pid: number): Promise<void> {
  owner.after(() => resume(pid));
  process.kill(pid, 'SIGSTOP');
  await eventually('the process is stopped', () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
}

/** SIGCONT; nothing where it is gone. */
export function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It was killed.
  }
}
