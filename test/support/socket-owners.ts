/** Which process holds a connection, told by the kernel: the sockets of /proc/net/tcp against the descriptors of a process. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Ports of the clients of `listenPort` (IPv4) whose connection the process has a descriptor of. */
export function clientPortsHeldBy(pid: number, listenPort: number): Set<number> {
  const inodes = socketInodes(pid);
  const ports = new Set<number>();
  for (const row of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , , , , , , inode = ''] = row.trim().split(/\s+/);
    if (portOf(local) === listenPort && inodes.has(inode)) ports.add(portOf(remote));
  }
  return ports;
}

function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

/** `0100007F:1F90`, hexadecimal. */
function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}

/** '' for a descriptor that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
