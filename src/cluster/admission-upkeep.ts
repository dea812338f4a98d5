/**
 * What rate and connection limits need of the primary: old buckets are moved along before their times would look like
 * the future, and clients that could not be counted are told of.
 */
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { rateLimitOf } from '../application/rate-limit-of.js';
import { RateRule } from '../domain/admission/rate-rule.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { WORKER } from '../domain/shared/layout.js';
import { RateTable } from '../domain/shared/rate-table.js';
import { monotonicNow } from './monotonic-clock.js';
import type { Service, ServiceParts } from './service.js';

/** An eighth of the ring that ticks count on takes at least nine minutes. */
const INTERVAL_MS = 60_000;
/** About a millisecond's work: between two slices the primary's loop answers everybody else. */
const SETS_PER_SLICE = 8192;

export class AdmissionUpkeep implements Service {
  readonly #region: ControlRegion;
  readonly #logger: Logger;
  readonly #rates: RateTable;
  readonly #intervalMs: number;
  #rule: RateRule | null = null;
  #untracked = 0;
  #timer: NodeJS.Timeout | null = null;
  #next: NodeJS.Immediate | null = null;

  constructor({ region, logger }: Pick<ServiceParts, 'region' | 'logger'>, intervalMs = INTERVAL_MS) {
    this.#region = region;
    this.#logger = logger;
    this.#rates = new RateTable(region);
    this.#intervalMs = intervalMs;
  }

  configure(config: ProxyConfig): void {
    const limit = rateLimitOf(config);
    this.#rule = limit === null ? null : new RateRule(limit);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#tellOfUntracked();
      this.#sweep(0);
    }, this.#intervalMs).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#next !== null) clearImmediate(this.#next);
  }

  #sweep(from: number): void {
    if (this.#rule === null || from >= this.#rates.sets) return;
    const to = from + SETS_PER_SLICE;
    this.#rates.sweep(ticksNow(this.#rule), from, to);
    this.#next = setImmediate(() => this.#sweep(to));
  }

  #tellOfUntracked(): void {
    const { words, capacity } = this.#region;
    let untracked = 0;
    for (let worker = 0; worker < capacity.workers; worker++) {
      untracked = (untracked + Atomics.load(words, this.#region.workerAt(worker) + WORKER.UNTRACKED)) | 0;
    }
    const clients = (untracked - this.#untracked) >>> 0;
    this.#untracked = untracked;
    if (clients === 0) return;
    const message = 'connections beyond MAX_TRACKED_CLIENTS were let in without being counted for their address';
    this.#logger.warn({ clients }, message);
  }
}

function ticksNow(rule: RateRule): number {
  const { secs, micros } = monotonicNow();
  return rule.ticksAt(secs, micros);
}
