import { readFileSync } from 'node:fs';
import type { Owner } from './scratch-directory.js';
import { startBackend } from './tcp-backend.js';
import { udpPeer } from './udp-peer.js';

const LOWEST = 10_000;
/** Where the kernel gives nearly all ports away, some are left to be tried here. */
const FEWEST = 10_000;
/** Further apart than what a file takes, so that files that run at once take different ones. */
const APART = 61;

const count = Math.max(firstEphemeralPort() - LOWEST, FEWEST);
let next = (process.pid * APART) % count;

/**
 * Free for TCP and UDP, for programs that cannot be asked which one they got. None of those that the kernel gives to whoever
 * asks for any, as every other test does all the time: it stays free until it is bound.
 */
export async function freePort(owner: Owner): Promise<number> {
  for (let tries = 0; tries < count; tries++) {
    const port = LOWEST + (next++ % count);
    if (await isFree(owner, port)) return port;
  }
  throw new Error(`no port is free from ${LOWEST} on`);
}

async function isFree(owner: Owner, port: number): Promise<boolean> {
  try {
    const tcp = await startBackend(owner, undefined, { port });
    await tcp.stopListening();
    const udp = await udpPeer(owner, { port });
    await udp.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}

function firstEphemeralPort(): number {
  return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
}
