/** What a running process may use and what it has used. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Ticks of user and system time in /proc/<pid>/stat: 100 per second on every Linux that matters. */
const TICKS_PER_SEC = 100;

/** Changes the soft RLIMIT_NOFILE. What is open stays open. */
export function setFileLimit(pid: number, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
}

export function cpuSecs(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SEC;
}

/** CPU seconds that the processes use within one second of wall time. */
export async function cpuSecsPerSec(pids: readonly number[]): Promise<number> {
  const before = cpuSecs(pids);
  await delay(1000);
  return cpuSecs(pids) - before;
}
