/**
 * Who accepts from which listening socket, and how that changes under a running proxy.
 *
 * A listener goes in three steps, so that nobody who got into its queue is reset: the kernel lets no new client begin;
 * those that have begun get the time to finish their handshake; then whoever accepts from it empties the queue, which the
 * acceptor sees to in both modes, since a worker may be full or dead.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeAcceptor, NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { Logger } from '../application/ports/logger.js';
import type { BoundListener, WantedAddress } from '../application/listener-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import type { Listener, ListenerChange, ListeningSockets } from './listening-sockets.js';
import type { WorkerListeners } from './worker-listeners.js';

/** A handshake takes one round trip more where it has begun: long enough for a client on the other side of the world. */
const HANDSHAKE_MS = 1000;
/** How long the address of a listener that has just gone may still be taken: workers close their copies a moment later. */
const LEFT_MS = 2000;
const LEFT_RETRY_MS = 20;
/** How long a change waits for listeners of the one before to be gone; one of them may be wanted again. */
const PATIENCE_MS = 5000;

export interface ListenersParts {
  readonly native: NativeAddon;
  readonly acceptor: NativeAcceptor;
  readonly sockets: ListeningSockets;
  readonly workers: WorkerListeners;
  readonly logger: Logger;
  /** As the log names it. */
  readonly describe: (listener: Listener) => BoundListener;
}

export class Listeners {
  readonly #parts: ListenersParts;
  readonly #retiring = new Set<Promise<void>>();
  #isStopped = false;
  /** When the last listener went. */
  #leftAtMs = -Infinity;

  constructor(parts: ListenersParts) {
    this.#parts = parts;
  }

  /** Handoff: the acceptor takes clients from here on. Workers are given their own sockets when they are admitted. */
  open(): void {
    for (const listener of this.#parts.sockets.listeners) this.#giveToAcceptor(listener);
  }

  /**
   * Listens on these addresses; nobody accepts from the new ones, and the old ones stay, until carryOut() or undo() with
   * what this resolves with, null where the drain has begun. Throws EP_LISTEN naming the one that cannot be; nothing has changed then.
   */
  async change(addresses: readonly WantedAddress[]): Promise<ListenerChange | null> {
    await this.#settle();
    return this.#isStopped ? null : this.#replaceSockets(addresses);
  }

  /** Once the settings of the new ones are in force wherever their clients may come to. */
  carryOut({ added, removed }: ListenerChange): void {
    const { sockets, workers, logger, describe } = this.#parts;
    if (this.#isStopped) return;
    // In one breath with the next lines: a worker that is admitted later is given them then, and no other way.
    sockets.carryOut();
    for (const listener of added) {
      this.#giveToAcceptor(listener);
      workers.give(listener);
      logger.info({ listen: describe(listener) }, 'listener opened');
    }
    for (const listener of removed) this.#begin(listener);
  }

  /** What else the change needs cannot be: whoever waits at a new listener is reset, and the old ones stay. */
  undo(change: ListenerChange): void {
    this.#parts.sockets.undo(change);
  }

  /** The drain begins: what is being emptied is emptied with the others. Idempotent. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Gives the listeners of the change before a moment to be gone. */
  async #settle(): Promise<void> {
    if (this.#retiring.size === 0) return;
    await Promise.race([Promise.all(this.#retiring), delay(PATIENCE_MS, undefined, { ref: false })]);
  }

  async #replaceSockets(addresses: readonly WantedAddress[]): Promise<ListenerChange> {
    for (;;) {
      try {
        return this.#parts.sockets.replace(addresses);
      } catch (error) {
        if (!isInUse(error) || performance.now() > this.#leftAtMs + LEFT_MS) throw error;
        await delay(LEFT_RETRY_MS);
      }
    }
  }

  #giveToAcceptor({ sockets }: Listener): void {
    for (const { listenerId, fd, workerIndex } of sockets) {
      if (workerIndex === null) this.#parts.acceptor.addListener(listenerId, fd);
    }
  }

  #begin(listener: Listener): void {
    const retired = this.#retire(listener)
      .catch((error: unknown) =>
        this.#parts.logger.error({ listen: this.#parts.describe(listener), error }, 'listener cannot be emptied'),
      )
      .finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }

  async #retire(listener: Listener): Promise<void> {
    const { native, acceptor, workers } = this.#parts;
    // A worker empties its queue of datagrams when it is told; there are no handshakes to wait for.
    if (listener.wanted.protocol === 'udp') return this.#take(listener);
    for (const { fd } of listener.sockets) native.refuseNewClients(fd);
    await delay(HANDSHAKE_MS, undefined, { ref: false });
    if (this.#isStopped) return;
    // Before the workers are asked: one that stands still does not answer, and its clients need not wait for it.
    for (const { listenerId, fd, workerIndex } of listener.sockets) {
      if (workerIndex !== null) acceptor.addListener(listenerId, fd);
    }
    await workers.take(listener);
    await this.#emptyAndClose(listener);
  }

  async #take(listener: Listener): Promise<void> {
    await this.#parts.workers.take(listener);
    this.#close(listener);
  }

  async #emptyAndClose(listener: Listener): Promise<void> {
    if (this.#isStopped) return;
    await Promise.all(listener.sockets.map(({ fd }) => this.#parts.acceptor.retireListener(fd)));
    this.#close(listener);
  }

  #close(listener: Listener): void {
    const { sockets, logger, describe } = this.#parts;
    sockets.release(listener);
    this.#leftAtMs = performance.now();
    logger.info({ listen: describe(listener) }, 'listener closed');
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof EdgeproxyError && error.context['errnoCode'] === 'EADDRINUSE';
}
