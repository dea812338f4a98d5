/**
 * Kernel settings for the length of a run. At 20,000 connections/s the default 28,000 ephemeral ports towards one
 * backend are all in TIME_WAIT within two seconds; a wider range and their reuse keep that limit out of the figures.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const WANTED: readonly (readonly [string, string])[] = [
  // Listeners of the bench lie below 10,000 (see free-ports.ts), so that no outgoing connection takes their port.
  ['/proc/sys/net/ipv4/ip_local_port_range', '10000 65000'],
  ['/proc/sys/net/ipv4/tcp_tw_reuse', '1'],
];

export interface KernelSettings {
  readonly notes: readonly string[];
  restore(): void;
}

export function raiseKernelSettings(): KernelSettings {
  const before: [string, string][] = [];
  const notes: string[] = [];
  for (const [path, value] of WANTED) {
    const name = path.replace('/proc/sys/', '').replaceAll('/', '.');
    const old = readFileSync(path, 'utf8').trim();
    try {
      writeFileSync(path, value);
      before.push([path, old]);
      notes.push(`${name} = ${value} for this run (was ${old.replace(/\s+/g, ' ')}; restored at the end)`);
    } catch {
      notes.push(
        `${name} stays at ${old.replace(/\s+/g, ' ')}: not root; connection rates above 14,000/s may run out of ports`,
      );
    }
  }
  return {
    notes,
    restore: () => {
      for (const [path, value] of before.splice(0)) writeFileSync(path, value);
    },
  };
}
