/** The kernel's table of TCP sockets of this network namespace, both families. */
import { readFileSync } from 'node:fs';

export interface TcpEntry {
  readonly localPort: number;
  readonly remotePort: number;
  readonly state: TcpState;
  /** Bytes written and not yet acknowledged by the other side. */
  readonly unsentBytes: number;
  /** Bytes received and not yet read. */
  readonly unreadBytes: number;
}

export type TcpState = (typeof STATES)[number];

/** By the numbers of the table; see net/tcp_states.h. */
const STATES = [
  'unknown', 'established', 'syn-sent', 'syn-received', 'fin-wait-1', 'fin-wait-2', 'time-wait', 'close', 'close-wait',
  'last-ack', 'listen', 'closing', 'new-syn-received',
] as const; // prettier-ignore

/**
 * Entries with one of these ports on either side. A socket that was reset is in no table. Slow: the kernel walks its whole
 * hash table for each look.
 */
export function tcpEntries(...ports: readonly number[]): TcpEntry[] {
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => readFileSync(path, 'utf8').split('\n').slice(1));
  return lines
    .filter(Boolean)
    .map(parseEntry)
    .filter((entry) => ports.includes(entry.localPort) || ports.includes(entry.remotePort));
}

/** `sl local:port remote:port state tx:rx …`, all in hexadecimal. */
function parseEntry(line: string): TcpEntry {
  const [, local = '', remote = '', state = '', queues = ''] = line.trim().split(/\s+/);
  const [unsent = '', unread = ''] = queues.split(':');
  return {
    localPort: hex(local.slice(local.indexOf(':') + 1)),
    remotePort: hex(remote.slice(remote.indexOf(':') + 1)),
    state: STATES[hex(state)] ?? 'unknown',
    unsentBytes: hex(unsent),
    unreadBytes: hex(unread),
  };
}

function hex(text: string): number {
  return parseInt(text, 16);
}
