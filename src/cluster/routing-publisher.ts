import type { Logger } from '../application/ports/logger.js';
import type { RoutingSnapshot } from '../application/ports/routing-repository.js';
import type { Backend } from '../domain/backend.js';
import { regionTable } from '../domain/regions.js';
import type { BindingTable } from '../domain/shared/binding-table.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { NO_POOLS, type PoolMembers } from '../domain/shared/pool-members.js';
import { RoutesWriter, type PublishedBackend } from '../domain/shared/routes-writer.js';

/** Puts what the repository read into force, and tells the log what was wrong with it. */
export class RoutingPublisher {
  readonly #routes: RoutesWriter;
  #popRegion: string;
  readonly #logger: Logger;
  #latest: RoutingSnapshot | null = null;
  /** The same while a backend of it waits for a slot or for a place for its path. */
  #unplaced: RoutingSnapshot | null = null;
  #lacksPaths = false;
  #leftOut: readonly string[] = [];
  #pools = NO_POOLS;
  #silent: ReadonlySet<string> = new Set();

  constructor(region: ControlRegion, bindings: BindingTable, popRegion: string, logger: Logger) {
    this.#routes = new RoutesWriter(region, bindings);
    this.#popRegion = popRegion;
    this.#logger = logger;
  }

  /** Ids of the latest snapshot that are not in force, for want of a place for instance. */
  get leftOut(): readonly string[] {
    return this.#leftOut;
  }

  get usedSlots(): number {
    return this.#routes.usedSlots;
  }

  /** What to publish once more: slots of removed backends come free without a change in the database. */
  placeable(): RoutingSnapshot | null {
    if (this.#unplaced === null) return null;
    const hasRoom = this.#routes.recycle() || (this.#lacksPaths && this.#routes.hasRoomForPath());
    return hasRoom ? this.#unplaced : null;
  }

  /** Takes another region for this POP's; returns what to publish once more, or null where nothing changes. */
  useRegion(popRegion: string): RoutingSnapshot | null {
    if (popRegion === this.#popRegion) return null;
    this.#popRegion = popRegion;
    return this.#latest;
  }

  /** Takes other pools; returns what to publish once more, or null where nothing is published yet. */
  usePools(pools: PoolMembers): RoutingSnapshot | null {
    this.#pools = pools;
    return this.#latest;
  }

  /** Takes these for silent; returns what to publish once more, or null where nothing is published yet. */
  useSilent(ids: ReadonlySet<string>): RoutingSnapshot | null {
    this.#silent = ids;
    return this.#latest;
  }

  /** Returns what is in force now. */
  publish({ backends, warnings }: RoutingSnapshot): readonly PublishedBackend[] {
    for (const warning of warnings) this.#logger.warn({ ...warning }, 'routing database: row is wrong');
    const heard = this.#silent.size === 0 ? backends : backends.map((backend) => this.#asHeard(backend));
    const { published, leftOut } = this.#routes.publish(heard, regionTable(), this.#popRegion, this.#pools);
    const lacksSlots = leftOut.some(({ reason }) => reason === 'no_slot');
    this.#lacksPaths = leftOut.some(({ reason }) => reason === 'no_path');
    this.#latest = { backends, warnings: [] };
    this.#unplaced = lacksSlots || this.#lacksPaths ? this.#latest : null;
    this.#logLeftOut(leftOut);
    this.#logger.info({ backends: published.length, unplaced: leftOut.length }, 'routing table in force');
    return published;
  }

  #asHeard(backend: Backend): Backend {
    return backend.isHealthy && this.#silent.has(backend.id)
      ? { ...backend, isHealthy: false, isSilent: true }
      : backend;
  }

  /** Once, not at every try to place the same ones. */
  #logLeftOut(leftOut: readonly { readonly id: string; readonly reason: string }[]): void {
    const ids = leftOut.map(({ id }) => id);
    if (ids.join('\n') === this.#leftOut.join('\n')) return;
    this.#leftOut = ids;
    for (const { id, reason } of leftOut) {
      this.#logger.warn({ backend: id, reason }, 'routing database: backend left out');
    }
  }
}
