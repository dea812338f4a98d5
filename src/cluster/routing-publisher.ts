import type { Logger } from '../application/ports/logger.js';
import type { RoutingSnapshot } from '../application/ports/routing-repository.js';
import { regionTable } from '../domain/regions.js';
import type { BindingTable } from '../domain/shared/binding-table.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { RoutesWriter } from '../domain/shared/routes-writer.js';

/** Puts what the repository read into force, and tells the log what was wrong with it. */
export class RoutingPublisher {
  readonly #routes: RoutesWriter;
  readonly #popRegion: string;
  readonly #logger: Logger;
  /** The last snapshot, while a backend of it waits for a slot. */
  #unplaced: RoutingSnapshot | null = null;
  #leftOut = '';

  constructor(region: ControlRegion, bindings: BindingTable, popRegion: string, logger: Logger) {
    this.#routes = new RoutesWriter(region, bindings);
    this.#popRegion = popRegion;
    this.#logger = logger;
  }

  get usedSlots(): number {
    return this.#routes.usedSlots;
  }

  /** What to publish once more: slots of removed backends come free without a change in the database. */
  placeable(): RoutingSnapshot | null {
    return this.#unplaced !== null && this.#routes.recycle() ? this.#unplaced : null;
  }

  publish({ backends, warnings }: RoutingSnapshot): void {
    for (const warning of warnings) this.#logger.warn({ ...warning }, 'routing database: row is wrong');
    const { published, leftOut } = this.#routes.publish(backends, regionTable(), this.#popRegion);
    const lacksSlots = leftOut.some(({ reason }) => reason === 'no_slot');
    this.#unplaced = lacksSlots ? { backends, warnings: [] } : null;
    this.#logLeftOut(leftOut);
    this.#logger.info({ backends: published.length, unplaced: leftOut.length }, 'routing table in force');
  }

  /** Once, not at every try to place the same ones. */
  #logLeftOut(leftOut: readonly { readonly id: string; readonly reason: string }[]): void {
    const ids = leftOut.map(({ id }) => id).join('\n');
    if (ids === this.#leftOut) return;
    this.#leftOut = ids;
    for (const { id, reason } of leftOut) {
      this.#logger.warn({ backend: id, reason }, 'routing database: backend left out');
    }
  }
}
