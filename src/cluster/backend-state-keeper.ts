/** The primary's part in breakers and slow start: their settings, their clock, and the log. */
import { LimitedLog } from '../application/limited-log.js';
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import type { Backend } from '../domain/backend.js';
import { BackendStates } from '../domain/shared/backend-states.js';
import { BreakerClock, type BreakerChange } from '../domain/shared/breaker-clock.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { BACKEND_ERRORS, WORKER_ROW } from '../domain/shared/layout.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { SlowStart } from '../domain/shared/slow-start.js';
import { PanicLog } from './panic-log.js';
import { scheduleInBackground } from './schedule.js';
import type { Service, ServiceParts } from './service.js';

export type BackendStateConfig = Pick<
  ProxyConfig,
  | 'isCircuitBreakerEnabled'
  | 'circuitFailureThreshold'
  | 'circuitSuccessThreshold'
  | 'circuitTimeoutSecs'
  | 'circuitTrials'
  | 'circuitMaxEjectedPercent'
  | 'panicThresholdPercent'
  | 'slowStartSecs'
>;

const TICK_MS = 100;
/** Nothing is missed while no generation tells of a change, but for what a dead worker did not tell: seen once a second. */
const MOST_QUIET_TICKS = 10;

const MESSAGES: Readonly<Record<BreakerChange, string>> = {
  opened: 'breaker open: the backend gets no new clients',
  opened_again: 'breaker open again: a trial connection failed',
  half_open: 'breaker half-open: trial connections go to the backend',
  rearmed: 'breaker half-open: trials without an outcome are given up, others may start',
  closed: 'breaker closed: the backend gets clients again',
  surplus: 'breaker closed: more backends are ejected than CIRCUIT_MAX_EJECTED_PERCENT allows',
  switched_off: 'breaker closed: it is switched off',
};

export class BackendStateKeeper implements Service {
  readonly #logger: Logger;
  readonly #lines: LimitedLog;
  readonly #region: ControlRegion;
  readonly #states: BackendStates;
  readonly #clock: BreakerClock;
  readonly #slowStart: SlowStart;
  readonly #panic: PanicLog;
  /** By slot. */
  #backends = new Map<number, Backend>();
  #published: readonly PublishedBackend[] = [];
  #usedSlots = 0;
  #maxEjectedPercent = 0;
  #timer: NodeJS.Timeout | null = null;
  #generation = 0;
  #quietTicks = 0;

  constructor({ logger, region }: Pick<ServiceParts, 'logger' | 'region'>) {
    this.#logger = logger;
    this.#lines = new LimitedLog(logger, scheduleInBackground);
    this.#region = region;
    this.#states = new BackendStates(region);
    const { backends } = region.capacity;
    this.#clock = new BreakerClock(this.#states, backends, (slot, change) => this.#log(slot, change));
    this.#slowStart = new SlowStart(this.#states, backends);
    this.#panic = new PanicLog(logger, scheduleInBackground);
  }

  configure(config: BackendStateConfig): void {
    this.#states.configure({
      failureThreshold: config.isCircuitBreakerEnabled ? config.circuitFailureThreshold : 0,
      successThreshold: config.circuitSuccessThreshold,
      trials: config.circuitTrials,
      panicPercent: config.panicThresholdPercent,
    });
    this.#clock.configure(config.isCircuitBreakerEnabled, config.circuitTimeoutSecs * 1000);
    this.#slowStart.configure(config.slowStartSecs * 1000);
    this.#panic.configure(config.panicThresholdPercent);
    this.#maxEjectedPercent = config.circuitMaxEjectedPercent;
    this.#limitEjected();
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#published = published;
    this.#backends = new Map(published.map(({ slot, backend }) => [slot, backend]));
    for (const { slot } of published) this.#usedSlots = Math.max(this.#usedSlots, slot + 1);
    this.#limitEjected();
    this.#tick();
  }

  start(): void {
    this.#timer = setInterval(() => this.#tickUnlessQuiet(), TICK_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#lines.close();
    this.#panic.close();
  }

  #limitEjected(): void {
    this.#states.setMaxEjected(Math.max(1, Math.floor((this.#backends.size * this.#maxEjectedPercent) / 100)));
  }

  #tickUnlessQuiet(): void {
    const isQuiet =
      this.#states.generation === this.#generation && !this.#clock.isWaiting && !this.#slowStart.isWaiting;
    this.#quietTicks = isQuiet ? this.#quietTicks + 1 : 0;
    if (this.#quietTicks % MOST_QUIET_TICKS === 0) this.#tick();
  }

  #tick(): void {
    // Before the look: what changes meanwhile is looked at by the next tick.
    this.#generation = this.#states.generation;
    const nowMs = performance.now();
    this.#states.together(() => {
      this.#clock.tick(nowMs, this.#usedSlots, (slot) => this.#backends.has(slot));
      this.#slowStart.tick(nowMs, this.#usedSlots, (slot) => takesClients(this.#backends.get(slot)));
    });
    this.#lookForPanic();
  }

  #lookForPanic(): void {
    const pools = new Map<number, { candidates: number; available: number }>([[0, { candidates: 0, available: 0 }]]);
    for (const { slot, backend, pool, isInline } of this.#published) {
      if (!takesClients(backend)) continue;
      const isAvailable = this.#states.isAvailable(slot) ? 1 : 0;
      // One of the database that an app's rules choose from belongs to both.
      for (const number of isInline ? [pool] : pool === 0 ? [0] : [0, pool]) {
        const counts = pools.get(number) ?? { candidates: 0, available: 0 };
        pools.set(number, counts);
        counts.candidates++;
        counts.available += isAvailable;
      }
    }
    this.#panic.look(pools);
  }

  #log(slot: number, change: BreakerChange): void {
    const backend = this.#backends.get(slot);
    // Connections of a removed backend may still fail; nobody asks for it.
    if (backend === undefined) return;
    const { ejected, maxEjected } = this.#states;
    const context = { backend: backend.id, ejected, maxEjected };
    if (change === 'opened') this.#lines.write('warn', { ...context, errors: this.#errorsOf(slot) }, MESSAGES[change]);
    else if (change === 'rearmed') this.#logger.debug(context, MESSAGES[change]);
    else this.#lines.write('info', context, MESSAGES[change]);
  }

  /** Totals since the backend is known, by reason, without the zeros. */
  #errorsOf(slot: number): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [index, reason] of BACKEND_ERRORS.entries()) {
      let sum = 0;
      for (let worker = 0; worker < this.#region.capacity.workers; worker++) {
        // Atomic, as other processes write it; a count that is a moment old will do.
        sum += Atomics.load(this.#region.words, this.#region.rowAt(worker, slot) + WORKER_ROW.ERRORS + index) >>> 0;
      }
      if (sum > 0) counts[reason] = sum;
    }
    return counts;
  }
}

function takesClients(backend: Backend | undefined): boolean {
  return backend !== undefined && backend.isHealthy && !backend.isDraining && backend.weight > 0;
}
