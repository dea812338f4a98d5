/** What /proc tells about a process. Numbers are 0 and lists empty for one that is gone. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Direct children, as the kernel lists them. */
export function childPids(pid: number): number[] {
  return readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

export function isRunning(pid: number): boolean {
  // A zombie no longer runs, though kill(pid, 0) finds it.
  return /^State:\s+[^ZX]/m.test(readProc(pid, 'status'));
}

export function openDescriptors(pid: number): number {
  return namesOf(`/proc/${pid}/fd`).length;
}

/** How many descriptors of each kind: `socket`, `pipe`, `anon_inode:[eventfd]`, a path. */
export function descriptorKinds(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const fd of namesOf(`/proc/${pid}/fd`)) {
    try {
      const kind = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, '');
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    } catch {
      // Closed meanwhile.
    }
  }
  return kinds;
}

/** Resident set, in bytes. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** Arguments joined by spaces, or the title that the process gave itself. */
export function commandLine(pid: number): string {
  return readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
}

function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
