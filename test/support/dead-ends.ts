/** Addresses where no connection comes about: refused, unreachable, never answered. */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import type { Owner } from './scratch-directory.js';

export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** A port that this process holds to its end, so that nobody else gets it, and does not listen on: connects are refused. */
export function refused(host = '127.0.0.1'): Promise<Destination> {
  const { port } = loadNativeAddon().bind({ address: host, port: 0, isReusePort: false });
  return Promise.resolve({ address: host, port });
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
    const connected = new Promise<void>((resolve) => socket.once('connect', resolve));
    // On loopback a SYN that is not dropped is answered within microseconds.
    await Promise.race([connected, delay(200)]);
    // Where this process was held up, the timer is asked first, the sockets after it.
    await nextTurn();
    hasRoom = !socket.connecting;
  }
  owner.after(() => {
    for (const socket of fillers) socket.destroy();
    native.closeFd(fd);
  });
  return { address: '127.0.0.1', port };
}
