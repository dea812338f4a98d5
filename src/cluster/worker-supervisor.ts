/**
 * The life of the workers: born, admitted to their clients, buried, succeeded.
 *
 * When one dies: the acceptor takes back the clients that it had not read and gives them to the others; in reuseport mode
 * it also accepts from the dead one's listening sockets until the successor does; every place that the dead one held is
 * given back; then, after a back-off where it died young, the successor starts in the same place.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NativeAcceptor, NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { PlaceFacts } from '../application/live-view.js';
import type { Logger } from '../application/ports/logger.js';
import type { RunTotals } from '../application/run-totals.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import type { ConnectionAnswer, ConnectionQuestion } from './connection-questions.js';
import { FailureReports } from './failure-reports.js';
import type { ListeningSockets } from './listening-sockets.js';
import type { ToWorker } from './messages.js';
import { scheduleInBackground } from './schedule.js';
import type { WorkerCpus } from './worker-cpus.js';
import { WorkerAdmission } from './worker-admission.js';
import { WorkerListeners } from './worker-listeners.js';
import { emptyPlaces, type WorkerPlace } from './worker-place.js';
import { WorkerProcess, type WorkerExit } from './worker-process.js';
import { WorkerRegions } from './worker-regions.js';
import type { WorkerSettings } from './worker-settings.js';

/** How long a worker may take to have other settings in force; one that stands still holds up nobody. */
const CONFIGURE_MS = 1000;
/** How soon to try again what the living were busy changing. */
const RETRY_MS = 5;

export interface WorkerSupervisorOptions {
  readonly native: NativeAddon;
  readonly acceptor: NativeAcceptor;
  readonly sockets: ListeningSockets;
  readonly regionFd: number;
  readonly settings: WorkerSettings;
  readonly workers: number;
  readonly cpus: WorkerCpus;
  readonly logger: Logger;
  readonly totals: RunTotals;
  /** Gives back what the dead worker held; false where it must be asked again. */
  readonly reclaim: (workerIndex: number) => boolean;
}

/** A worker as the watchdog sees it. */
export interface WorkerLife {
  readonly index: number;
  readonly pid: number;
  readonly isReady: boolean;
  /** It has everything that it takes to choose backends, or has been sent it. */
  readonly isAdmitted: boolean;
}

export class WorkerSupervisor {
  readonly #options: WorkerSupervisorOptions;
  readonly #places: readonly WorkerPlace[];
  #settings: WorkerSettings;
  /** What every worker is told, also one that is still starting: its end. */
  #lastOrder: ToWorker | null = null;
  #hasSuccession = true;
  #onAllGone: () => void = () => undefined;
  #onFirstReady: () => void = () => undefined;
  #onNoneReady: (error: EdgeproxyError) => void = () => undefined;
  /** Resolves with the first worker that is ready; rejects when every place has seen one die before that. */
  readonly firstReady: Promise<void>;
  readonly regions: WorkerRegions;
  readonly listeners: WorkerListeners;
  readonly admission: WorkerAdmission;
  readonly #matcherFailures: FailureReports;

  constructor(options: WorkerSupervisorOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.firstReady = new Promise((resolve, reject) => {
      this.#onFirstReady = resolve;
      this.#onNoneReady = reject;
    });
    // Whoever ends the start for another reason does not wait for it.
    this.firstReady.catch(() => undefined);
    const { native, acceptor, sockets, logger } = options;
    const places = emptyPlaces(options.workers);
    this.#matcherFailures = new FailureReports((failure) => {
      logger.warn({ ...failure }, 'custom rule: its function fails, and so it matches nobody');
    }, scheduleInBackground);
    this.#places = places;
    this.regions = new WorkerRegions(native, places);
    this.listeners = new WorkerListeners({ native, acceptor, sockets, places });
    const { regions, listeners } = this;
    this.admission = new WorkerAdmission({ acceptor, regions, listeners, places, logger });
  }

  /** Forks all workers; they wait for clients until the admission opens. */
  start(): void {
    for (const place of this.#places) this.#fork(place);
  }

  /** Other settings for every worker, now and later; resolves when they are in force in all that have clients. */
  async configure(settings: WorkerSettings): Promise<void> {
    this.#settings = settings;
    // One that is still starting is told when it is ready.
    const told = this.#places.flatMap(({ isReady, process }) =>
      isReady && process ? [process.configure(settings)] : [],
    );
    await Promise.race([Promise.all(told), delay(CONFIGURE_MS, undefined, { ref: false })]);
  }

  /** Tells every worker that is ready. */
  tell(message: ToWorker): void {
    for (const { isReady, process } of this.#places) if (isReady) process?.tell(message);
  }

  /** null where that worker has not answered after `timeoutMs`, or is not there. */
  ask(index: number, question: ConnectionQuestion, timeoutMs: number): Promise<ConnectionAnswer | null> {
    const { isReady = false, process = null } = this.#places[index] ?? {};
    return isReady && process !== null ? process.ask(question, timeoutMs) : Promise.resolve(null);
  }

  get lives(): readonly WorkerLife[] {
    return this.#places.flatMap(({ index, process, isReady, isAdmitted }) =>
      process === null ? [] : [{ index, pid: process.pid, isReady, isAdmitted }],
    );
  }

  /** All of them by index, also those whose worker is dead. */
  get places(): readonly PlaceFacts[] {
    return this.#places.map(({ process, isAdmitted, restarts }) => ({
      pid: process?.pid ?? null,
      isAdmitted,
      restarts,
    }));
  }

  /** Ends a worker by force; it has a successor like any other that dies. */
  replace(index: number): void {
    this.#places[index]?.process?.kill();
  }

  /** From here on a worker that dies has no successor. Idempotent. */
  endSuccession(): void {
    this.#hasSuccession = false;
    this.admission.stop();
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
    this.regions.close();
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
    this.tell(order);
  }

  /** Where the system has no descriptor or process left, the next try waits like the successor of one that died. */
  #fork(place: WorkerPlace): void {
    try {
      place.process = this.#startProcess(place);
      if (place.hasDied) {
        place.restarts++;
        this.#options.totals.countWorkerRestart();
      }
    } catch (error) {
      this.#options.logger.error({ worker: place.index, error }, 'worker cannot be started');
      this.#succeed(place, 0);
    }
  }

  #startProcess(place: WorkerPlace): WorkerProcess {
    const { native, regionFd, cpus, logger } = this.#options;
    const birth = {
      workerIndex: place.index,
      primaryPid: globalThis.process.pid,
      cpu: cpus.of(place.index),
      settings: this.#settings,
    };
    const process = new WorkerProcess(native, birth, regionFd, {
      // A word from one that is already dead is not its successor's.
      onReady: () => {
        if (place.process === process) void this.#onReady(place, process);
      },
      onCrash: (message, stack) => logger.error({ worker: place.index, stack }, `worker failed: ${message}`),
      onMatcherFailure: (failure) => this.#matcherFailures.note(failure),
      onExit: (exit) => void this.#onExit(place, exit),
    });
    return process;
  }

  async #onReady(place: WorkerPlace, process: WorkerProcess): Promise<void> {
    place.isReady = true;
    this.#onFirstReady();
    const isConfigured = process.configure(this.#settings);
    if (this.#lastOrder !== null) process.tell(this.#lastOrder);
    // Before its first client: settings and clients take different ways to it.
    await isConfigured;
    if (place.process === process) this.admission.admitIfReady(place);
  }

  async #onExit(place: WorkerPlace, exit: WorkerExit): Promise<void> {
    const { process } = place;
    if (process === null) return;
    const wasAdmitted = place.isAdmitted;
    place.process = null;
    place.isReady = place.isInformed = place.isAdmitted = place.isSuspended = false;
    // During a shutdown one that ends with 0 does as it was told.
    if (this.#hasSuccession || exit.code !== 0)
      this.#options.logger.warn({ worker: place.index, ...exit }, 'worker died');
    this.#noteDeath(place);
    await this.admission.takeBackClients(place, wasAdmitted);
    process.close();
    await this.#reclaim(place.index);
    if (this.#hasSuccession) this.#succeed(place, exit.lifeMs);
    else this.#checkAllGone();
  }

  /** A build that cannot run, or a machine that cannot run it, is a start that failed, not one that takes for ever. */
  #noteDeath(place: WorkerPlace): void {
    place.hasDied = true;
    if (!this.#places.every(({ hasDied }) => hasDied)) return;
    const message = 'No worker could be started; the lines above say why.';
    this.#onNoneReady(new EdgeproxyError('EP_WORKER_START', message, { source: 'internal' }));
  }

  async #reclaim(index: number): Promise<void> {
    while (!this.#options.reclaim(index)) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  #succeed(place: WorkerPlace, lifeMs: number): void {
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
