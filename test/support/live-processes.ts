/**
 * Processes that a test file has started: none outlives it, however it ends. A worker dies with its primary, but that is
 * what some tests are about, so children are killed by their own pids too.
 */
import { childPids } from './process-facts.js';

const live = new Set<number>();

/** The process and its children are killed when this process exits, unless forgotten before. */
export function killAtExit(pid: number): void {
  if (live.size === 0) {
    process.on('exit', killAll);
    // The runner's way to end a file; the default would skip `exit`.
    process.once('SIGTERM', () => process.exit(143));
  }
  live.add(pid);
}

export function forget(pid: number): void {
  live.delete(pid);
}

/** SIGKILL for the process and its children. */
export function killTree(pid: number): void {
  const pids = [pid, ...childPids(pid)];
  for (const each of pids) killQuietly(each);
}

function killAll(): void {
  for (const pid of live) killTree(pid);
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
