import type { ProxyConfig } from '../application/proxy-config.js';
import { DrainClock, type DrainingBackend } from '../domain/health/drain-clock.js';
import { BACKEND } from '../domain/shared/layout.js';
import { slotOwner } from '../domain/shared/slot-owner.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import type { Service, ServiceParts } from './service.js';

/** setTimeout takes no more than 2^31 - 1 ms. */
const LONGEST_WAIT_MS = 86_400_000;

/** Closes what is left at a backend that has been draining for DRAIN_TIMEOUT_SECS, or for what its row says instead. */
export class DrainService implements Service {
  readonly #parts: ServiceParts;
  readonly #clock: DrainClock;
  #published: readonly PublishedBackend[] = [];
  #defaultMs = 0;
  #isStopped = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#clock = new DrainClock((backend) => this.#isHeld(backend));
  }

  configure({ drainTimeoutSecs }: ProxyConfig): void {
    this.#defaultMs = drainTimeoutSecs * 1000;
    this.#update();
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#published = published;
    this.#update();
  }

  start(): void {
    this.#update();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #update(): void {
    const draining = this.#published.filter(({ backend }) => backend.isDraining).map((it) => this.#describe(it));
    const ids = new Set(this.#published.map(({ backend }) => backend.id));
    this.#clock.update(draining, ids, performance.now());
    this.#arm();
  }

  #describe({ slot, backend: { id, overrides } }: PublishedBackend): DrainingBackend {
    const ownSecs = overrides?.drainTimeoutSecs;
    const timeoutMs = ownSecs === undefined ? this.#defaultMs : ownSecs * 1000;
    return { id, slot, owner: slotOwner(this.#parts.region, slot), timeoutMs };
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const dueMs = this.#clock.nextDueMs;
    if (this.#isStopped || dueMs === Infinity) return;
    const waitMs = Math.min(Math.max(dueMs - performance.now(), 0), LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => this.#closeDue(), waitMs);
  }

  #closeDue(): void {
    for (const { id, slot, owner, timeoutMs } of this.#clock.takeDue(performance.now())) {
      this.#parts.supervisor.tell({ type: 'closeBackend', slot, owner, reason: 'backend_drained' });
      const context = { backend: id, drainTimeoutSecs: timeoutMs / 1000 };
      this.#parts.logger.info(context, 'drain: the connections that are left are closed');
    }
    this.#arm();
  }

  #isHeld({ slot, owner }: DrainingBackend): boolean {
    const { region } = this.#parts;
    // The owner last: where it is the same, the count was this backend's.
    return Atomics.load(region.words, region.backendAt(slot) + BACKEND.ACTIVE) > 0 && slotOwner(region, slot) === owner;
  }
}
