/**
 * The life of the workers: born, admitted to the acceptor, buried, succeeded.
 *
 * When one dies: the acceptor takes back the clients that it had not read and gives them to the others; in reuseport mode
 * it also accepts from the dead one's listening sockets until the successor does; every place that the dead one held is
 * given back; then, after a back-off where it died young, the successor starts in the same place.
 */
import { NATIVE_REGION_KIND, type NativeAcceptor, type NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { GeoRegion } from '../application/ports/geo-source.js';
import type { Logger } from '../application/ports/logger.js';
import { BackOff } from '../domain/back-off.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import type { ListeningSockets } from './listening-sockets.js';
import type { ToWorker, WorkerSettings } from './messages.js';
import { WorkerProcess, type WorkerExit } from './worker-process.js';

/** How soon to try again: what the living were busy changing, and a channel that was full. */
const RETRY_MS = 5;

export interface WorkerSupervisorOptions {
  readonly native: NativeAddon;
  readonly acceptor: NativeAcceptor;
  readonly sockets: ListeningSockets;
  readonly regionFd: number;
  readonly settingsOf: (workerIndex: number) => WorkerSettings;
  readonly workers: number;
  readonly logger: Logger;
  /** Gives back what the dead worker held; false where it must be asked again. */
  readonly reclaim: (workerIndex: number) => boolean;
}

interface Place {
  readonly index: number;
  readonly backOff: BackOff;
  process: WorkerProcess | null;
  /** The process has mapped everything and waits for clients. */
  isReady: boolean;
  isAdmitted: boolean;
  /** Reuseport: the acceptor accepts from this worker's listening sockets for the time being. */
  isAdopted: boolean;
  /** Before its first life counts as a success or not. */
  hasDied: boolean;
  /** The back-off of its successor. */
  timer: NodeJS.Timeout | null;
}

export class WorkerSupervisor {
  readonly #options: WorkerSupervisorOptions;
  readonly #places: Place[];
  #geo: GeoRegion | null = null;
  #isOpen = false;
  /** What every worker is told, also one that is still starting: its end. */
  #lastOrder: ToWorker | null = null;
  #hasSuccession = true;
  #onAllGone: () => void = () => undefined;
  #onFirstReady: () => void = () => undefined;
  #onNoneReady: (error: EdgeproxyError) => void = () => undefined;
  /** Resolves with the first worker that is ready; rejects when every place has seen one die before that. */
  readonly firstReady: Promise<void>;

  constructor(options: WorkerSupervisorOptions) {
    this.#options = options;
    this.firstReady = new Promise((resolve, reject) => {
      this.#onFirstReady = resolve;
      this.#onNoneReady = reject;
    });
    // Whoever ends the start for another reason does not wait for it.
    this.firstReady.catch(() => undefined);
    this.#places = Array.from({ length: options.workers }, (_, index) => ({
      index,
      backOff: new BackOff(),
      process: null,
      isReady: false,
      isAdmitted: false,
      isAdopted: false,
      hasDied: false,
      timer: null,
    }));
  }

  /** Forks all workers; they wait for clients until open(). */
  start(): void {
    for (const place of this.#places) this.#fork(place);
  }

  /** Routes and geo are in place: workers may have clients. */
  open(): void {
    this.#isOpen = true;
    for (const place of this.#places) this.#admitIfReady(place);
  }

  /** Gives the geo database to every worker, now and later; the one before is closed. */
  useGeo(geo: GeoRegion): void {
    const previous = this.#geo;
    this.#geo = geo;
    for (const place of this.#places) {
      if (place.isAdmitted && place.process !== null) this.#sendGeo(place, place.process);
    }
    previous?.close();
  }

  /** From here on a worker that dies has no successor. Idempotent. */
  endSuccession(): void {
    this.#hasSuccession = false;
    for (const { timer } of this.#places) if (timer !== null) clearTimeout(timer);
  }

  /** Tells every worker; resolves when the last process is gone. */
  async end(how: ToWorker): Promise<void> {
    this.endSuccession();
    const gone = new Promise<void>((resolve) => {
      this.#onAllGone = resolve;
    });
    this.#order(how);
    this.#checkAllGone();
    await gone;
    this.#geo?.close();
  }

  /** Resets what is left; for a drain that took too long. */
  closeNow(): void {
    this.#order({ type: 'close' });
  }

  kill(): void {
    for (const { process } of this.#places) process?.kill();
  }

  /** A message that comes before the worker is ready for it would be lost: onReady sends it then. */
  #order(order: ToWorker): void {
    this.#lastOrder = order;
    for (const { isReady, process } of this.#places) if (isReady) process?.tell(order);
  }

  /** Where the system has no descriptor or process left, the next try waits like the successor of one that died. */
  #fork(place: Place): void {
    try {
      place.process = this.#startProcess(place);
    } catch (error) {
      this.#options.logger.error({ worker: place.index, error }, 'worker cannot be started');
      this.#succeed(place, 0);
    }
  }

  #startProcess(place: Place): WorkerProcess {
    const { native, settingsOf, regionFd, logger } = this.#options;
    const process = new WorkerProcess(native, settingsOf(place.index), regionFd, {
      // A word from one that is already dead is not its successor's.
      onReady: () => {
        if (place.process === process) this.#onReady(place);
      },
      onCrash: (message, stack) => logger.error({ worker: place.index, stack }, `worker failed: ${message}`),
      onExit: (exit) => void this.#onExit(place, exit),
    });
    return process;
  }

  #onReady(place: Place): void {
    place.isReady = true;
    this.#onFirstReady();
    if (this.#lastOrder !== null) place.process?.tell(this.#lastOrder);
    this.#admitIfReady(place);
  }

  #admitIfReady(place: Place): void {
    const { process } = place;
    if (!this.#isOpen || !this.#hasSuccession || !place.isReady || place.isAdmitted || process === null) return;
    place.isAdmitted = true;
    try {
      this.#admit(place, process);
    } catch (error) {
      // Half admitted is worse than gone: its successor gets everything anew.
      this.#options.logger.error({ worker: place.index, error }, 'worker cannot be given its sockets');
      process.kill();
    }
  }

  #admit(place: Place, process: WorkerProcess): void {
    const { acceptor, native, sockets, logger } = this.#options;
    this.#sendGeo(place, process);
    const wasAdopted = place.isAdopted;
    place.isAdopted = false;
    for (const { listenerId, fd } of sockets.of(place.index)) {
      if (wasAdopted) acceptor.removeListener(fd);
      native.sendListener(process.primaryEnd, listenerId, fd);
    }
    acceptor.workerUp(place.index, process.primaryEnd, process.workerEnd);
    const context = { worker: place.index, workerPid: process.pid };
    // At the start "ready" says it for all; a successor's line is the end of what "worker died" began.
    if (place.hasDied) logger.info(context, 'worker takes clients');
    else logger.debug(context, 'worker takes clients');
  }

  #sendGeo(place: Place, process: WorkerProcess): void {
    if (this.#geo === null || place.process !== process) return;
    try {
      this.#options.native.sendRegion(process.primaryEnd, NATIVE_REGION_KIND.GEO, this.#geo.fd);
    } catch {
      // The channel is full of clients: the worker is about to read them.
      setTimeout(() => this.#sendGeo(place, process), RETRY_MS);
    }
  }

  async #onExit(place: Place, exit: WorkerExit): Promise<void> {
    const { process } = place;
    if (process === null) return;
    const hadClients = place.isAdmitted;
    place.process = null;
    place.isReady = place.isAdmitted = false;
    // During a shutdown one that ends with 0 does as it was told.
    if (this.#hasSuccession || exit.code !== 0)
      this.#options.logger.warn({ worker: place.index, ...exit }, 'worker died');
    this.#noteDeath(place);
    await this.#takeBackClients(place, hadClients);
    process.close();
    await this.#reclaim(place.index);
    if (this.#hasSuccession) this.#succeed(place, exit.lifeMs);
    else this.#checkAllGone();
  }

  /** A build that cannot run, or a machine that cannot run it, is a start that failed, not one that takes for ever. */
  #noteDeath(place: Place): void {
    place.hasDied = true;
    if (!this.#places.every(({ hasDied }) => hasDied)) return;
    const message = 'No worker could be started; the lines above say why.';
    this.#onNoneReady(new EdgeproxyError('EP_WORKER_START', message, { source: 'internal' }));
  }

  async #takeBackClients(place: Place, hadClients: boolean): Promise<void> {
    try {
      if (this.#hasSuccession) this.#adoptListeners(place);
      if (hadClients) await this.#options.acceptor.workerDown(place.index);
    } catch (error) {
      // The acceptor is told of the death again when the successor comes up.
      this.#options.logger.error({ worker: place.index, error }, "a dead worker's clients wait for its successor");
    }
  }

  /** Reuseport: until the successor is there the acceptor empties the dead worker's queues. */
  #adoptListeners(place: Place): void {
    if (place.isAdopted) return;
    place.isAdopted = true;
    const { acceptor, sockets } = this.#options;
    for (const { listenerId, fd } of sockets.of(place.index)) acceptor.addListener(listenerId, fd);
  }

  async #reclaim(index: number): Promise<void> {
    while (!this.#options.reclaim(index)) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  #succeed(place: Place, lifeMs: number): void {
    const delayMs = place.backOff.nextDelayMs(lifeMs, Math.random());
    if (delayMs > 0)
      this.#options.logger.warn({ worker: place.index, delayMs }, 'worker keeps dying; its successor waits');
    place.timer = setTimeout(() => {
      place.timer = null;
      this.#fork(place);
    }, delayMs);
  }

  #checkAllGone(): void {
    if (this.#places.every(({ process }) => process === null)) this.#onAllGone();
  }
}
