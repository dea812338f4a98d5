/**
 * Processes that a test file has started: none outlives it. A worker dies with its primary, but that is what some tests
 * are about, so children are killed by their own pids too.
 */
import { existsSync } from 'node:fs';
import { childPids } from './process-facts.js';

const SETPRIV = '/usr/bin/setpriv';
/** Put before a command: the kernel kills it when this process is killed and can do nothing more. */
export const DIE_WITH_PARENT = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : [];

const live = new Set<number>();
process.once('exit', killAll);

/** The process and its children are killed when this process exits, unless forgotten before. */
export function killAtExit(pid: number): void {
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

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function killAll(): void {
  for (const pid of live) killTree(pid);
}
