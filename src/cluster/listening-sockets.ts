/**
 * The listening sockets, all owned by the primary. Handoff: one per address. Reuseport: one per address and worker; the
 * worker accepts from its own, but the primary keeps it open, so that a worker's death leaves the queue alive.
 */
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import type { AcceptMode, ListenAddress } from '../application/proxy-config.js';
import type { NativeAddon, NativeError } from '../adapters/outbound/native/native-addon.js';

export interface ListeningSocket {
  readonly listenerId: number;
  readonly fd: number;
  /** The worker it is meant for (reuseport), or null (handoff). */
  readonly workerIndex: number | null;
}

export interface ListeningSocketsOptions {
  readonly addresses: readonly ListenAddress[];
  readonly accept: AcceptMode;
  readonly workers: number;
  readonly backlog: number;
}

const CHOOSE_ANOTHER = 'choose another with EDGEPROXY_LISTEN_ADDR or --listen';
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: ` (another program listens there; ${CHOOSE_ANOTHER})`,
  EADDRNOTAVAIL: ` (this machine has no such address; ${CHOOSE_ANOTHER})`,
  EACCES: ` (this user may not use that port; ${CHOOSE_ANOTHER})`,
};

export class ListeningSockets {
  readonly sockets: readonly ListeningSocket[];
  /** With the port that the kernel chose where 0 was asked for. */
  readonly bound: readonly ListenAddress[];
  readonly #native: NativeAddon;
  #isOpen = true;

  /** Throws EP_LISTEN naming the address; nothing stays open then. */
  constructor(native: NativeAddon, options: ListeningSocketsOptions) {
    this.#native = native;
    const sockets: ListeningSocket[] = [];
    this.sockets = sockets;
    const bound: ListenAddress[] = [];
    this.bound = bound;
    const count = options.accept === 'reuseport' ? options.workers : 1;
    for (const [listenerId, wanted] of options.addresses.entries()) {
      let { port } = wanted;
      if (options.accept === 'reuseport' && port !== 0) this.#refuseToShare(wanted, options);
      for (let i = 0; i < count; i++) {
        const opened = this.#open({ ...wanted, port }, options);
        port = opened.port;
        sockets.push({ listenerId, fd: opened.fd, workerIndex: options.accept === 'reuseport' ? i : null });
      }
      bound.push({ address: wanted.address, port });
    }
  }

  of(workerIndex: number): readonly ListeningSocket[] {
    return this.sockets.filter((socket) => socket.workerIndex === workerIndex);
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const { fd } of this.sockets) this.#native.closeFd(fd);
  }

  /** Another program that listens with SO_REUSEPORT would silently get a part of the clients. */
  #refuseToShare(wanted: ListenAddress, options: ListeningSocketsOptions): void {
    this.#native.closeFd(this.#open(wanted, { ...options, accept: 'handoff' }).fd);
  }

  #open({ address, port }: ListenAddress, options: ListeningSocketsOptions): { fd: number; port: number } {
    try {
      const isReusePort = options.accept === 'reuseport';
      return this.#native.listen({ address, port, backlog: options.backlog, isReusePort });
    } catch (cause) {
      this.close();
      const { errnoCode, syscall } = cause as NativeError;
      const host = address.includes(':') ? `[${address}]` : address;
      const reason = `${syscall} failed with ${errnoCode}${ADVICE[errnoCode] ?? ''}`;
      throw new EdgeproxyError('EP_LISTEN', `Cannot listen on ${host}:${port}: ${reason}.`, {
        source: 'config',
        context: { address, port, errnoCode, syscall },
        cause,
      });
    }
  }
}
