/** Addresses where no connection comes about: refused, unreachable, never answered. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import type { Owner } from './scratch-directory.js';

export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** A port that was free a moment ago: connects are refused. */
export async function refused(host = '127.0.0.1'): Promise<Destination> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { address: host, port };
}

/** The broadcast address of the loopback network: TCP finds no way there and says ENETUNREACH at once. */
export function unreachable(port = 9): Destination {
  return { address: '127.255.255.255', port };
}

/**
 * A listening socket with a full queue that nobody accepts from: the kernel drops further SYNs, so a connect neither
 * succeeds nor fails. Until the owner ends.
 */
export async function blackhole(owner: Owner): Promise<Destination> {
  const native = loadNativeAddon();
  const { fd, port } = native.bind({ address: '127.0.0.1', port: 0, isReusePort: false });
  native.listen(fd, 1);
  const fillers: Socket[] = [];
  let hasRoom = true;
  while (hasRoom) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    fillers.push(socket);
    const isConnected = new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)));
    // On loopback a SYN that is not dropped is answered within microseconds.
    hasRoom = await Promise.race([isConnected, delay(200, false)]);
  }
  owner.after(() => {
    for (const socket of fillers) socket.destroy();
    native.closeFd(fd);
  });
  return { address: '127.0.0.1', port };
}
