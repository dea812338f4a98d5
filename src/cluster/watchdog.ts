/**
 * Looks after the workers' heartbeats four times a second: one that stands still gets no new clients until it beats
 * again, one that stands still for too long is killed and has a successor. Says in the log who does that, and who turns
 * new clients away because of its load.
 */
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EpisodeLimit } from '../domain/overload/episode-limit.js';
import { StallWatch, TURN_MS } from '../domain/overload/stall-watch.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { WORKER } from '../domain/shared/layout.js';
import type { Service, ServiceParts } from './service.js';
import { SheddingLog } from './shedding-log.js';
import type { WorkerLife, WorkerSupervisor } from './worker-supervisor.js';

export class Watchdog implements Service {
  readonly #logger: Logger;
  readonly #region: ControlRegion;
  readonly #supervisor: WorkerSupervisor;
  readonly #watch = new StallWatch();
  readonly #stalls = new Map<number, EpisodeLimit>();
  readonly #shedding: SheddingLog;
  #limitSecs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor({ logger, region, supervisor }: ServiceParts) {
    this.#logger = logger;
    this.#region = region;
    this.#supervisor = supervisor;
    this.#shedding = new SheddingLog(region, logger);
  }

  start(): void {
    this.#timer = setInterval(() => this.#turn(performance.now()), TURN_MS);
  }

  configure(config: ProxyConfig): void {
    this.#limitSecs = config.watchdogSecs;
    this.#watch.configure(this.#limitSecs > 0 ? this.#limitSecs * 1000 : Infinity);
    this.#shedding.configure(config);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #turn(nowMs: number): void {
    this.#watch.turn(nowMs);
    for (const life of this.#supervisor.lives) {
      this.#look(life, nowMs);
      this.#shedding.look(life, nowMs);
      const isTaking = this.#word(life, WORKER.STALLED) === 0 && this.#word(life, WORKER.SHEDDING) === 0;
      this.#supervisor.admission.relieve(life.index, !isTaking);
    }
  }

  #look(life: WorkerLife, nowMs: number): void {
    const silentMs = Math.round(this.#watch.silentMs(life.index));
    switch (this.#watch.look({ ...life, beat: this.#word(life, WORKER.HEARTBEAT) })) {
      case 'stalled':
        return this.#onStalled(life, nowMs);
      case 'resumed':
        return this.#onResumed(life, silentMs);
      case 'expired':
        return this.#onExpired(life);
      case 'unchanged':
        return;
    }
  }

  #onStalled(life: WorkerLife, nowMs: number): void {
    this.#mark(life, 1);
    this.#supervisor.admission.suspend(life.index);
    const untold = this.#episodes(life).begin(nowMs);
    if (untold === null) return;
    const context = { ...about(life), silentMs: Math.round(this.#watch.silentMs(life.index)), untold };
    this.#logger.warn(context, 'worker stands still; its clients go to the others');
  }

  #onResumed(life: WorkerLife, silentMs: number): void {
    this.#mark(life, 0);
    this.#supervisor.admission.resume(life.index);
    const lagMs = this.#word(life, WORKER.LAG_MS);
    if (this.#episodes(life).end()) this.#logger.info({ ...about(life), silentMs, lagMs }, 'worker moves again');
  }

  #onExpired(life: WorkerLife): void {
    const context = {
      ...about(life),
      silentMs: Math.round(this.#watch.silentMs(life.index)),
      limitSecs: this.#limitSecs,
    };
    const message = life.isReady ? 'worker stands still for too long: killed' : 'worker does not get ready: killed';
    this.#logger.error(context, message);
    this.#supervisor.replace(life.index);
  }

  /** For the worker itself, which leaves its listening sockets to others meanwhile; the acceptor is told. */
  #mark({ index }: WorkerLife, isStalled: 0 | 1): void {
    Atomics.store(this.#region.words, this.#region.workerAt(index) + WORKER.STALLED, isStalled);
  }

  #word({ index }: WorkerLife, word: number): number {
    return Atomics.load(this.#region.words, this.#region.workerAt(index) + word);
  }

  #episodes({ index }: WorkerLife): EpisodeLimit {
    const known = this.#stalls.get(index) ?? new EpisodeLimit();
    this.#stalls.set(index, known);
    return known;
  }
}

function about({ index, pid }: WorkerLife): { worker: number; workerPid: number } {
  return { worker: index, workerPid: pid };
}
