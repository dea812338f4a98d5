import type { GeoRegion, GeoSource } from '../application/ports/geo-source.js';
import type { Logger } from '../application/ports/logger.js';
import type { RoutingRepository, RoutingSnapshot } from '../application/ports/routing-repository.js';
import { RefreshLoop } from '../application/refresh-loop.js';
import { counted, type RunTotals } from '../application/run-totals.js';
import { schedule } from './schedule.js';

export interface DatabasesOptions {
  readonly repository: RoutingRepository;
  readonly geo: GeoSource;
  readonly intervalMs: number;
  /** What to put into force where the routing database has not changed, or null. */
  readonly placeable: () => RoutingSnapshot | null;
  readonly useRouting: (snapshot: RoutingSnapshot) => void;
  /** Takes the region over. */
  readonly useGeo: (geo: GeoRegion) => void;
  readonly totals: RunTotals;
  readonly logger: Logger;
}

/** The routing database and the geo database, read again and again while the proxy runs. */
export class Databases {
  readonly #options: DatabasesOptions;
  readonly #routing: RefreshLoop<RoutingSnapshot>;
  readonly #geo: RefreshLoop<GeoRegion>;

  constructor(options: DatabasesOptions) {
    this.#options = options;
    this.#routing = this.#routingLoop();
    this.#geo = this.#geoLoop();
  }

  /** Resolves when both are in force; rejects where one cannot be read. */
  async start(): Promise<void> {
    await Promise.all([this.#routing.start(), this.#geo.start()]);
  }

  /** Reads both now instead of at the next interval. */
  async refreshNow(): Promise<void> {
    await Promise.all([this.#routing.refreshNow(), this.#geo.refreshNow()]);
  }

  /** The routing database alone; resolves when it is in force or the failure logged. */
  refreshRouting(): Promise<void> {
    return this.#routing.refreshNow();
  }

  useInterval(intervalMs: number): void {
    for (const loop of [this.#routing, this.#geo]) loop.useInterval(intervalMs);
  }

  /** Idempotent. */
  stop(): void {
    this.#routing.stop();
    this.#geo.stop();
  }

  async close(): Promise<void> {
    await Promise.all([this.#options.repository.close(), this.#options.geo.close()]);
  }

  #routingLoop(): RefreshLoop<RoutingSnapshot> {
    const { repository, placeable, useRouting, intervalMs, totals, logger } = this.#options;
    return new RefreshLoop({
      name: 'routing database',
      intervalMs,
      read: counted(totals, async () => (await repository.readIfChanged()) ?? placeable()),
      apply: useRouting,
      logger,
      schedule,
    });
  }

  #geoLoop(): RefreshLoop<GeoRegion> {
    const { geo: source, useGeo, intervalMs, logger } = this.#options;
    return new RefreshLoop({
      name: 'geo database',
      intervalMs,
      read: () => source.loadIfChanged(),
      discard: (geo) => geo.close(),
      apply: (geo) => {
        useGeo(geo);
        logger.info({ geo: geo.description }, 'geo database in force');
      },
      logger,
      schedule,
    });
  }
}
