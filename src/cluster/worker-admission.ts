/**
 * Which workers take clients. Nobody's client waits for one that does not: before it is ready, while it stands still or
 * turns clients away, and once it is dead, the acceptor gives those that it has not read to the others, and in reuseport
 * mode accepts from its listening sockets.
 */
import type { NativeAcceptor } from '../adapters/outbound/native/native-addon.js';
import type { Logger } from '../application/ports/logger.js';
import type { WorkerListeners } from './worker-listeners.js';
import type { WorkerPlace } from './worker-place.js';
import type { WorkerProcess } from './worker-process.js';
import type { WorkerRegions } from './worker-regions.js';

/** How soon to ask again whether a worker may be admitted. */
const ASK_AGAIN_MS = 5;

export interface WorkerAdmissionParts {
  readonly acceptor: NativeAcceptor;
  readonly regions: WorkerRegions;
  readonly listeners: WorkerListeners;
  readonly places: readonly WorkerPlace[];
  readonly logger: Logger;
}

export class WorkerAdmission {
  readonly #parts: WorkerAdmissionParts;
  #isOpen = false;
  #isStopped = false;
  #hasRules: (workerIndex: number) => boolean = () => true;

  constructor(parts: WorkerAdmissionParts) {
    this.#parts = parts;
  }

  /** Nobody is admitted who has been sent the rules and does not have them yet: their functions take time to load. */
  useRulesCheck(hasRules: (workerIndex: number) => boolean): void {
    this.#hasRules = hasRules;
  }

  /** Routes and geo are in place: workers may have clients. */
  open(): void {
    this.#isOpen = true;
    for (const place of this.#parts.places) {
      this.admitIfReady(place);
      // Whoever waits in the queue of one that is still starting goes to the others.
      if (!place.isAdmitted) this.#parts.listeners.adopt(place);
    }
  }

  /** The acceptor is about to stop: who takes clients stays as it is. Idempotent. */
  stop(): void {
    this.#isStopped = true;
  }

  admitIfReady(place: WorkerPlace): void {
    const { process } = place;
    if (!this.#isOpen || this.#isStopped || !place.isReady || place.isAdmitted || process === null) return;
    // Before any listener or client: the worker has them when it takes its first one.
    if (!place.isInformed) this.#parts.regions.sendAll(process);
    place.isInformed = true;
    if (!this.#hasRules(place.index)) return this.#askAgain(place, process);
    place.isAdmitted = true;
    try {
      this.#admit(place, process);
    } catch (error) {
      // Half admitted is worse than gone: its successor gets everything anew.
      this.#parts.logger.error({ worker: place.index, error }, 'worker cannot be given its sockets');
      process.kill();
    }
  }

  /** For a worker that does not read: it gets no clients, and those on their way to it go to the others. */
  suspend(index: number): void {
    const place = this.#parts.places[index];
    if (place?.process == null || !place.isAdmitted || place.isSuspended || this.#isStopped) return;
    place.isSuspended = true;
    const { process } = place;
    const settled = this.#parts.acceptor.workerStalled(index).then((isWhole) => {
      if (isWhole) return;
      this.#parts.logger.error({ worker: index }, 'what a standing worker was sent is lost: killed');
      process.kill();
    });
    // The acceptor puts back what is no client: what is sent from here must not overtake that.
    process.outbox.holdUntil(settled).catch((error: unknown) => {
      this.#parts.logger.error({ worker: index, error }, "a standing worker's clients wait for it");
    });
  }

  /** It reads again. */
  resume(index: number): void {
    const place = this.#parts.places[index];
    if (place === undefined || !place.isSuspended || this.#isStopped) return;
    place.isSuspended = false;
    try {
      this.#parts.acceptor.workerResumed(index);
    } catch (error) {
      this.#parts.logger.error({ worker: index, error }, 'worker cannot be given clients again: killed');
      place.process?.kill();
    }
  }

  /** Reuseport: whether the acceptor accepts from this worker's sockets, which itself does not for the time being. */
  relieve(index: number, isRelieved: boolean): void {
    const place = this.#parts.places[index];
    if (place === undefined || !place.isAdmitted || place.isAdopted === isRelieved || this.#isStopped) return;
    try {
      if (isRelieved) this.#parts.listeners.adopt(place);
      else this.#parts.listeners.disown(place);
    } catch (error) {
      this.#parts.logger.error({ worker: index, error }, "a worker's waiting clients are left to it");
    }
  }

  /** Of a worker that is dead: what it has not read goes to the others. */
  async takeBackClients(place: WorkerPlace, wasAdmitted: boolean): Promise<void> {
    try {
      if (!this.#isStopped) this.#parts.listeners.adopt(place);
      if (wasAdmitted) await this.#parts.acceptor.workerDown(place.index);
    } catch (error) {
      // The acceptor is told of the death again when the successor comes up.
      this.#parts.logger.error({ worker: place.index, error }, "a dead worker's clients wait for its successor");
    }
  }

  #askAgain(place: WorkerPlace, process: WorkerProcess): void {
    setTimeout(() => {
      if (place.process === process) this.admitIfReady(place);
    }, ASK_AGAIN_MS).unref();
  }

  #admit(place: WorkerPlace, process: WorkerProcess): void {
    const { acceptor, listeners, logger } = this.#parts;
    // Before it accepts by itself: where the rest fails, what it has taken by then is taken back from it.
    acceptor.workerUp(place.index, process.primaryEnd, process.workerEnd);
    listeners.sendAll(place, process);
    const context = { worker: place.index, workerPid: process.pid };
    // At the start "ready" says it for all; a successor's line is the end of what "worker died" began.
    if (place.hasDied) logger.info(context, 'worker takes clients');
    else logger.debug(context, 'worker takes clients');
  }
}
