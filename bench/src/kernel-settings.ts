/**
 * Kernel settings for the length of a run. At 20,000 connections/s the default 28,000 ephemeral ports towards one
 * backend are all in TIME_WAIT within two seconds; a wider range and their reuse keep that limit out of the figures.
 *
 * What was set before stands in a file until it is restored, so that a run after one that was killed restores it too.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const WANTED: readonly (readonly [string, string])[] = [
  // Listeners of the bench lie below 10,000 (see free-ports.ts), so that no outgoing connection takes their port.
  ['net.ipv4.ip_local_port_range', '10000 65000'],
  ['net.ipv4.tcp_tw_reuse', '1'],
];
/** Only root gets as far as to need it, and only root may write there. */
const SAVED_FILE = '/run/edgeproxy-bench.json';

export interface KernelSettings {
  readonly notes: readonly string[];
  restore(): void;
}

function path(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}

function currentValues(): Record<string, string> {
  const entries = WANTED.map(([name]) => [name, readFileSync(path(name), 'utf8').trim().replace(/\s+/g, ' ')]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function leftBehind(): Record<string, string> | undefined {
  return existsSync(SAVED_FILE) ? (JSON.parse(readFileSync(SAVED_FILE, 'utf8')) as Record<string, string>) : undefined;
}

export function raiseKernelSettings(): KernelSettings {
  const before = currentValues();
  if (process.getuid?.() !== 0) {
    const note = 'not root: kernel settings stay as they are; connection rates above 14,000/s may run out of ports';
    return { notes: [note], restore: () => undefined };
  }
  const original = leftBehind() ?? before;
  writeFileSync(SAVED_FILE, JSON.stringify(original), { mode: 0o600 });
  for (const [name, value] of WANTED) writeFileSync(path(name), value);
  const notes = WANTED.map(
    ([name, value]) => `${name} = ${value} for this run (${original[name] ?? ''} again at the end)`,
  );
  return {
    notes,
    restore: () => {
      for (const [name] of WANTED) writeFileSync(path(name), original[name] ?? before[name] ?? '');
      rmSync(SAVED_FILE, { force: true });
    },
  };
}
