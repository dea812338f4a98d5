/** Processes as /proc shows them: descendants, memory, CPU time, open sockets. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

const TICK_US = 10_000; // USER_HZ is 100 on every Linux that Node runs on

export interface CpuTimes {
  readonly busyUs: number;
  readonly processesUs: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process is gone
  }
}

function statFields(pid: number | string): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The process and all its descendants. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(statFields(entry)[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** The kernel threads that do network work which no process is charged for. */
export function kernelSoftirqPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && read(`/proc/${entry}/comm`).startsWith('ksoftirqd/'))
    .map(Number);
}

function sumOfKb(pids: readonly number[], file: string, pattern: RegExp): number {
  return pids.reduce((sum, pid) => sum + Number(pattern.exec(read(`/proc/${pid}/${file}`))?.[1] ?? 0), 0);
}

/** Proportional set size: memory shared by the processes of a proxy counts once. */
export function pssKb(pids: readonly number[]): number {
  return sumOfKb(pids, 'smaps_rollup', /^Pss:\s+(\d+)/m);
}

/** Sum of the peak resident sizes; pages shared by several processes count in each. */
export function peakResidentKb(pids: readonly number[]): number {
  return sumOfKb(pids, 'status', /^VmHWM:\s+(\d+)/m);
}

export function cpuTimes(pids: readonly number[], wallUs: number, cpus: number): CpuTimes {
  const [, ...fields] = (read('/proc/stat').split('\n', 1)[0] ?? '').split(/\s+/).map(Number);
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0) + (fields[7] ?? 0);
  const processesUs = pids.reduce((sum, pid) => {
    const stat = statFields(pid);
    return sum + (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) * TICK_US;
  }, 0);
  return { busyUs: wallUs * cpus - idle * TICK_US, processesUs };
}

function established(localPort: number): Set<string> {
  const inodes = new Set<string>();
  const suffix = `:${localPort.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(file).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) === true && fields[3] === '01') inodes.add(fields[9] ?? '');
    }
  }
  return inodes;
}

/** How many established connections accepted on the port each process holds. */
export function connectionsPerProcess(pids: readonly number[], localPort: number): number[] {
  const inodes = established(localPort);
  return pids.map((pid) => {
    let count = 0;
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined && inodes.has(inode)) count += 1;
      } catch {
        // closed between readdir and readlink
      }
    }
    return count;
  });
}
