/** Says in the log when a worker begins and ends to turn new clients away, and why: workers have no log of their own. */
import { readFileSync } from 'node:fs';
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EpisodeLimit } from '../domain/overload/episode-limit.js';
import { reasonOf, RESOURCES, type Resource } from '../domain/overload/shedding.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { SHEDDING, WORKER } from '../domain/shared/layout.js';
import type { WorkerLife } from './worker-supervisor.js';

export class SheddingLog {
  readonly #region: ControlRegion;
  readonly #logger: Logger;
  /** Bits seen last, by worker. */
  readonly #seen = new Map<number, number>();
  readonly #episodes = new Map<string, EpisodeLimit>();
  #limits: Readonly<Record<Resource, object>> = { LAG: {}, MEMORY: {}, DESCRIPTORS: {} };

  constructor(region: ControlRegion, logger: Logger) {
    this.#region = region;
    this.#logger = logger;
  }

  configure(config: ProxyConfig): void {
    this.#limits = {
      LAG: { limitMs: config.overloadLagMs },
      MEMORY: { limitMb: config.overloadMemoryMb },
      DESCRIPTORS: { limitPercent: config.overloadDescriptorsPercent },
    };
  }

  look({ index: worker, pid }: WorkerLife, nowMs: number): void {
    const bits = this.#word(worker, WORKER.SHEDDING);
    const changed = bits ^ (this.#seen.get(worker) ?? 0);
    if (changed === 0) return;
    this.#seen.set(worker, bits);
    for (const resource of RESOURCES) {
      if ((changed & SHEDDING[resource]) === 0) continue;
      if ((bits & SHEDDING[resource]) !== 0) this.#begin(worker, pid, resource, nowMs);
      else this.#end(worker, resource);
    }
  }

  #begin(worker: number, pid: number, resource: Resource, nowMs: number): void {
    const untold = this.#episode(worker, resource).begin(nowMs);
    if (untold === null) return;
    const measured = resource === 'MEMORY' ? { residentMb: residentMb(pid) } : {};
    const context = { ...this.#about(worker, resource), ...measured, ...this.#limits[resource], untold };
    this.#logger.warn(context, 'worker is overloaded and rejects new clients');
  }

  #end(worker: number, resource: Resource): void {
    if (!this.#episode(worker, resource).end()) return;
    this.#logger.info(this.#about(worker, resource), 'worker is no longer overloaded');
  }

  #about(worker: number, resource: Resource): object {
    const connections = this.#word(worker, WORKER.ACTIVE);
    return { worker, reason: reasonOf(resource), lagMs: this.#word(worker, WORKER.LAG_MS), connections };
  }

  #episode(worker: number, resource: Resource): EpisodeLimit {
    const key = `${worker} ${resource}`;
    const known = this.#episodes.get(key) ?? new EpisodeLimit();
    this.#episodes.set(key, known);
    return known;
  }

  #word(worker: number, word: number): number {
    return Atomics.load(this.#region.words, this.#region.workerAt(worker) + word);
  }
}

/** As the kernel counts it, at this moment; null where the process is gone. */
function residentMb(pid: number): number | null {
  try {
    const kilobytes = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1024);
  } catch {
    return null;
  }
}
