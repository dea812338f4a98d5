/** What /proc tells about a process. Numbers are 0 and lists empty for one that is gone. */
import { readdirSync, readFileSync } from 'node:fs';

/** Direct children, as the kernel lists them. */
export function childPids(pid: number): number[] {
  return readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

export function isRunning(pid: number): boolean {
  // A zombie no longer runs, though kill(pid, 0) finds it.
  return /^State:\s+[^ZX]/m.test(readProc(pid, 'status'));
}

export function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Resident set, in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** Arguments joined by spaces, or the title that the process gave itself. */
export function commandLine(pid: number): string {
  return readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
