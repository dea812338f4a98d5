/**
 * Reuseport: each worker accepts from listening sockets of its own. While it is not there, or takes no clients, the
 * acceptor does, so that nobody waits in its queues. With hand-off no worker has such sockets, and nothing here happens.
 */
import type { NativeAcceptor, NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { Listener, ListeningSockets } from './listening-sockets.js';
import type { WorkerPlace } from './worker-place.js';
import type { WorkerProcess } from './worker-process.js';

export interface WorkerListenersParts {
  readonly native: NativeAddon;
  readonly acceptor: NativeAcceptor;
  readonly sockets: ListeningSockets;
  readonly places: readonly WorkerPlace[];
}

export class WorkerListeners {
  readonly #parts: WorkerListenersParts;

  constructor(parts: WorkerListenersParts) {
    this.#parts = parts;
  }

  /** Each worker accepts from its socket of this listener too; one that is not there yet gets it later. */
  give({ sockets }: Listener): void {
    const { acceptor, native } = this.#parts;
    for (const { listenerId, fd, workerIndex, isUdp } of sockets) {
      const place = this.#placeOf(workerIndex);
      const process = admittedTo(place);
      if (process !== null) void process.outbox.push(() => native.sendListener(process.primaryEnd, listenerId, fd));
      if (place?.isAdopted === true && !isUdp) acceptor.addListener(listenerId, fd);
    }
  }

  /** Each worker empties its queue of this listener and closes it; resolves when all have been told. */
  async take({ id, sockets }: Listener): Promise<void> {
    const { native } = this.#parts;
    const told = sockets.flatMap(({ workerIndex }) => {
      const process = admittedTo(this.#placeOf(workerIndex));
      return process === null ? [] : [process.outbox.push(() => native.sendCloseListener(process.primaryEnd, id))];
    });
    await Promise.all(told);
  }

  /** To a worker that has none yet, whose queues are its own from here on; throws where its channel is full. */
  sendAll(place: WorkerPlace, process: WorkerProcess): void {
    const { acceptor, native, sockets } = this.#parts;
    const wasAdopted = place.isAdopted;
    place.isAdopted = false;
    for (const { listenerId, fd, isUdp } of sockets.of(place.index)) {
      if (wasAdopted && !isUdp) acceptor.removeListener(fd);
      native.sendListener(process.primaryEnd, listenerId, fd);
    }
  }

  /** The acceptor empties this worker's queues for the time being: all of them or, where that throws, none. */
  adopt(place: WorkerPlace): void {
    if (place.isAdopted) return;
    const { acceptor, sockets } = this.#parts;
    const added: number[] = [];
    try {
      for (const { listenerId, fd, isUdp } of sockets.of(place.index)) {
        if (isUdp) continue;
        acceptor.addListener(listenerId, fd);
        added.push(fd);
      }
    } catch (error) {
      for (const fd of added) acceptor.removeListener(fd);
      throw error;
    }
    place.isAdopted = true;
  }

  /** The worker does so itself again. */
  disown(place: WorkerPlace): void {
    place.isAdopted = false;
    const { acceptor, sockets } = this.#parts;
    for (const { fd, isUdp } of sockets.of(place.index)) if (!isUdp) acceptor.removeListener(fd);
  }

  #placeOf(workerIndex: number | null): WorkerPlace | undefined {
    return workerIndex === null ? undefined : this.#parts.places[workerIndex];
  }
}

function admittedTo(place: WorkerPlace | undefined): WorkerProcess | null {
  return place?.isAdmitted === true ? place.process : null;
}
