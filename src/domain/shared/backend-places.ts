/** Places for new clients at the backends of a worker's routing table: reserved, and asked of the breaker with the place in hand. */
import type { ControlRegion } from './control-region.js';
import { Reservations } from './reservations.js';
import type { RouteTable } from './route-table.js';
import type { StateOverlay } from './state-overlay.js';
import { TrialGate } from './trial-gate.js';

export class BackendPlaces {
  /** Whether the last place is one for a trial of a half-open breaker. */
  isTrial = false;
  readonly #table: RouteTable;
  readonly #overlay: StateOverlay;
  readonly #reservations: Reservations;
  readonly #trials: TrialGate;

  constructor(region: ControlRegion, worker: number, table: RouteTable, overlay: StateOverlay) {
    this.#table = table;
    this.#overlay = overlay;
    this.#reservations = new Reservations(region, worker);
    this.#trials = new TrialGate(region);
  }

  /** Takes a place there, and a trial where the breaker wants one; false where either is gone. */
  reserve(route: number, pool: number): boolean {
    const slot = this.#table.slot[route] ?? 0;
    this.isTrial = false;
    if (!this.#reservations.reserve(slot, this.#table.hardLimit[route] ?? 0)) return false;
    return this.#trials.isClosed(slot) || this.#passBreaker(slot, pool);
  }

  #passBreaker(slot: number, pool: number): boolean {
    const admission = this.#trials.admit(slot, this.#overlay.isPanic(pool));
    this.isTrial = admission === 'trial';
    if (admission !== 'refused') return true;
    this.#reservations.release(slot);
    // All that take nobody any more, so that the next choice finds another one.
    this.#overlay.apply();
    return false;
  }
}
