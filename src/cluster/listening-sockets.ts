/**
 * The listening sockets, all owned by the primary. Handoff: one per address. Reuseport: one per address and worker; the
 * worker accepts from its own, but the primary keeps it open, so that a worker's death leaves the queue alive.
 *
 * Of UDP there is one per address and worker in both modes: who reads a datagram has to answer it. The acceptor has none
 * of them, so whoever waits in the queue of a worker that is gone waits for its successor.
 *
 * An address that stays keeps its sockets and its id through every change: affinity and counters go by the id.
 *
 * Sockets inherited from an older version (see upgrade/) are used as they are, with the clients that wait in them. The
 * kernel spreads clients over all sockets of an address, so every one of them must be accepted from: those beyond one per
 * worker are the acceptor's, as all are in handoff mode. For the same reason those beside them are bound at once, so that
 * an error comes early, but listen only when there is somebody to accept: if this version fails before that, the older one
 * has all clients.
 */
import { formatListenAddress, overlap } from '../adapters/inbound/config/listen-address.js';
import type { NativeAddon, NativeError } from '../adapters/outbound/native/native-addon.js';
import type { ListenAddress, WantedAddress } from '../application/listener-config.js';
import type { AcceptMode } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { MAX_LISTENERS } from '../domain/shared/layout.js';

export interface ListeningSocket {
  readonly listenerId: number;
  readonly fd: number;
  /** The worker it is meant for (reuseport, UDP), or null where the acceptor accepts from it. */
  readonly workerIndex: number | null;
  /** The acceptor never has it. */
  readonly isUdp: boolean;
}

export interface Listener {
  readonly id: number;
  readonly wanted: WantedAddress;
  /** With the port that the kernel chose where 0 was asked for. */
  readonly bound: ListenAddress;
  readonly sockets: readonly ListeningSocket[];
  /** By a service manager, of whom others cannot be opened beside them: its user is another one. */
  readonly isHandedOver: boolean;
}

/** The sockets of one address that an older version or a service manager listens on, open in this process. */
export interface InheritedListener {
  readonly listenerId: number;
  /** As it was configured, with port 0 where the kernel was to choose. */
  readonly wanted: WantedAddress;
  readonly boundPort: number;
  /** Where it is not as it is configured: a service manager's socket may be known by its name alone. */
  readonly boundAddress?: string;
  /** See Listener. */
  readonly isHandedOver?: boolean;
  readonly fds: readonly number[];
}

export interface ListeningSocketsOptions {
  readonly addresses: readonly WantedAddress[];
  readonly accept: AcceptMode;
  readonly workers: number;
  readonly backlog: number;
  /** Owned from here on: those of other addresses are closed. */
  readonly inherited?: readonly InheritedListener[];
}

/** What a change of addresses means for those who accept. */
export interface ListenerChange {
  readonly added: readonly Listener[];
  /** Open until release(): somebody has to empty their queues. */
  readonly removed: readonly Listener[];
}

const CHOOSE_ANOTHER = 'choose another: server.tcp_bind, EDGEPROXY_LISTEN_ADDR or --listen';
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: ` (another program listens there; ${CHOOSE_ANOTHER})`,
  EADDRNOTAVAIL: ` (this machine has no such address; ${CHOOSE_ANOTHER})`,
  EACCES: ` (this user may not use that port; ${CHOOSE_ANOTHER})`,
};

export class ListeningSockets {
  readonly #native: NativeAddon;
  readonly #options: ListeningSocketsOptions;
  /** In the order of the addresses. */
  #listeners: readonly Listener[] = [];
  /** Before a change that is not carried out yet: what workers accept from. */
  #carriedOut: readonly Listener[] = [];
  /** Everything open, also what was taken out and is being emptied. */
  readonly #open = new Set<Listener>();
  /** What nobody has claimed yet. */
  readonly #inherited: InheritedListener[];
  readonly #adoptedIds: number[] = [];
  /** Bound, with the address that was wanted, but not listening yet. */
  readonly #silent = new Map<number, WantedAddress>();
  #isListening: boolean;
  #lastId = -1;

  /** Throws EP_LISTEN naming the address; nothing stays open then. */
  constructor(native: NativeAddon, options: ListeningSocketsOptions) {
    this.#native = native;
    this.#options = options;
    this.#inherited = [...(options.inherited ?? [])];
    this.#isListening = this.#inherited.length === 0;
    try {
      this.replace(options.addresses);
      this.carryOut();
    } finally {
      for (const { fds } of this.#inherited.splice(0)) this.#closeAll(fds);
    }
  }

  get bound(): readonly ListenAddress[] {
    return this.#listeners.map(({ bound }) => bound);
  }

  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  /** The listeners that were inherited; they keep their ids. */
  get adoptedIds(): readonly number[] {
    return this.#adoptedIds;
  }

  /** What a newer version inherits. The descriptors stay this process's. */
  toInherit(): readonly InheritedListener[] {
    return this.#listeners.map(({ id, wanted, bound, sockets, isHandedOver }) => ({
      listenerId: id,
      wanted,
      boundPort: bound.port,
      boundAddress: bound.address,
      isHandedOver,
      fds: sockets.map(({ fd }) => fd),
    }));
  }

  /** A worker's; those of a change only once it is carried out. */
  of(workerIndex: number): readonly ListeningSocket[] {
    return this.#carriedOut.flatMap(({ sockets }) => sockets.filter((socket) => socket.workerIndex === workerIndex));
  }

  /**
   * Listens on these addresses and no others; carryOut() or undo() has to follow. Throws EP_LISTEN naming the one that
   * cannot be; nothing has changed then.
   */
  replace(addresses: readonly WantedAddress[]): ListenerChange {
    const removed = [...this.#listeners];
    const added: Listener[] = [];
    const listeners: Listener[] = [];
    try {
      for (const wanted of addresses) {
        const at = removed.findIndex((listener) => isSame(listener.wanted, wanted));
        const [kept] = at < 0 ? [] : removed.splice(at, 1);
        const listener = kept ?? this.#listen(wanted);
        if (kept === undefined) added.push(listener);
        listeners.push(listener);
      }
    } catch (error) {
      for (const listener of added) this.release(listener);
      throw error;
    }
    this.#listeners = listeners;
    return { added, removed };
  }

  /** The change is in force for workers too: what was added is theirs, what was removed is not. */
  carryOut(): void {
    this.#carriedOut = this.#listeners;
  }

  /** As if that change, which was not carried out, had never been: what it added is closed. */
  undo({ added }: ListenerChange): void {
    this.#listeners = this.#carriedOut;
    for (const listener of added) this.release(listener);
  }

  /** Lets clients come to every socket; idempotent. Whoever accepts has to begin at once. Throws EP_LISTEN. */
  listen(): void {
    this.#isListening = true;
    for (const [fd, wanted] of this.#silent) {
      this.#translated(wanted, () => this.#native.listen(fd, this.#options.backlog));
      this.#silent.delete(fd);
    }
  }

  /** Closes the sockets of a listener that was taken out; idempotent. */
  release(listener: Listener): void {
    if (!this.#open.delete(listener)) return;
    this.#closeAll(listener.sockets.map(({ fd }) => fd));
  }

  /** Closes them all, whatever waits; idempotent. */
  close(): void {
    for (const listener of this.#open) this.release(listener);
  }

  #listen(wanted: WantedAddress): Listener {
    const isUdp = wanted.protocol === 'udp';
    const isShared = isUdp || this.#options.accept === 'reuseport';
    const inherited = this.#takeInherited(wanted);
    const isHandedOver = inherited?.isHandedOver === true;
    const count = isShared ? this.#options.workers : 1;
    const id = inherited?.listenerId ?? this.#freeId(wanted);
    let port = inherited?.boundPort ?? wanted.port;
    const fds = [...(inherited?.fds ?? [])];
    try {
      for (const fd of fds) this.#adoptSocket({ ...wanted, port }, fd, isShared);
      if (inherited === null && isShared && port !== 0) this.#refuseToShare(wanted);
      while (fds.length < count && !isHandedOver) {
        const opened = this.#openSocket({ ...wanted, port }, isShared);
        port = opened.port;
        fds.push(opened.fd);
      }
    } catch (error) {
      this.#closeAll(fds);
      throw error;
    }
    const hasOneEach = isShared && fds.length >= count;
    const listener = {
      id,
      wanted,
      bound: { address: inherited?.boundAddress ?? wanted.address, port },
      isHandedOver,
      sockets: fds.map((fd, index) => {
        // Nobody but a worker can read the UDP sockets that are left of an older version with more workers.
        const workerIndex = isUdp ? index % count : hasOneEach && index < count ? index : null;
        return { listenerId: id, fd, workerIndex, isUdp };
      }),
    };
    this.#open.add(listener);
    if (inherited === null) this.#lastId = id;
    else this.#adoptedIds.push(id);
    return listener;
  }

  /** What was inherited for that address as it is configured, else as it is bound. */
  #takeInherited(sought: WantedAddress): InheritedListener | null {
    const all = this.#inherited;
    let at = all.findIndex(({ wanted }) => isSame(wanted, sought));
    if (at < 0) at = all.findIndex(({ wanted, boundPort }) => isSame({ ...wanted, port: boundPort }, sought));
    return at < 0 ? null : (all.splice(at, 1)[0] ?? null);
  }

  #closeAll(fds: readonly number[]): void {
    for (const fd of fds) {
      this.#silent.delete(fd);
      this.#native.closeFd(fd);
    }
  }

  /** The one that has been out of use for longest: clients of its last owner may still be there, under its id. */
  #freeId(wanted: WantedAddress): number {
    const used = new Set([...this.#open].map(({ id }) => id));
    for (const { listenerId } of this.#inherited) used.add(listenerId);
    for (let i = 1; i <= MAX_LISTENERS; i++) {
      const id = (this.#lastId + i) % MAX_LISTENERS;
      if (!used.has(id)) return id;
    }
    throw listenError(wanted, `there are ${MAX_LISTENERS} listeners, with those that are being removed`, {});
  }

  /** Another program that listens with SO_REUSEPORT would silently get a part of the clients. */
  #refuseToShare(wanted: WantedAddress): void {
    this.#closeAll([this.#openSocket(wanted, false).fd]);
  }

  #openSocket(wanted: WantedAddress, isReusePort: boolean): { fd: number; port: number } {
    const { address, port, protocol } = wanted;
    const isUdp = protocol === 'udp';
    const bound = this.#translated(wanted, () => this.#native.bind({ address, port, isReusePort, isUdp }));
    if (isUdp) return bound;
    this.#silent.set(bound.fd, wanted);
    try {
      if (this.#isListening) this.listen();
      return bound;
    } catch (error) {
      this.#closeAll([bound.fd]);
      throw error;
    }
  }

  #adoptSocket(wanted: WantedAddress, fd: number, isReusePort: boolean): void {
    if (wanted.protocol === 'udp') this.#translated(wanted, () => this.#native.adoptUdp(fd));
    else this.#translated(wanted, () => this.#native.adoptListener(fd, this.#options.backlog, isReusePort));
  }

  /** What `open` returns; what it throws as EP_LISTEN. */
  #translated<T>(wanted: WantedAddress, open: () => T): T {
    try {
      return open();
    } catch (cause) {
      const { errnoCode, syscall } = cause as NativeError;
      const advice = errnoCode === 'EADDRINUSE' ? this.#overlapAdvice(wanted) : null;
      const reason = `${syscall} failed with ${errnoCode}${advice ?? ADVICE[errnoCode] ?? ''}`;
      throw listenError(wanted, reason, { errnoCode, syscall }, cause);
    }
  }

  /** In a change of addresses the other program may be this one. */
  #overlapAdvice(wanted: WantedAddress): string | null {
    const own = [...this.#open].find((other) => isSameProtocol(other.wanted, wanted) && overlap(other.bound, wanted));
    if (own === undefined) return null;
    return ` (this proxy still listens on ${formatListenAddress(own.bound)}, which has to be gone first: remove the one, then add the other)`;
  }
}

function isSame(one: WantedAddress, other: WantedAddress): boolean {
  return one.address === other.address && one.port === other.port && isSameProtocol(one, other);
}

function isSameProtocol(one: WantedAddress, other: WantedAddress): boolean {
  return (one.protocol === 'udp') === (other.protocol === 'udp');
}

function listenError(wanted: WantedAddress, reason: string, context: object, cause?: unknown): EdgeproxyError {
  const { address, port } = wanted;
  return new EdgeproxyError('EP_LISTEN', `Cannot listen on ${formatListenAddress(wanted)}: ${reason}.`, {
    source: 'config',
    context: { address, port, ...context },
    cause,
  });
}
