/**
 * What each route of a worker's table takes: its hard limit, its weight and its capacity, as they were published and as
 * they are for now.
 *
 *     published ── shut / admit: by the backend's state, until that changes ──► open ── close / reopen: one choice ──► now
 */
import { UNLIMITED } from './reservations.js';

/** As a hard limit: full whatever the load. */
const CLOSED = -0x80000000;

/** Per mille: the whole of a weight. */
export const WHOLE_WEIGHT = 1000;

export class RouteShares {
  /** For now. */
  readonly hardLimit: Int32Array;
  readonly weight: Float64Array;
  /** Per mille of its weight that the route has. */
  readonly part: Int32Array;
  /** soft_limit × weight: `active` divided by it is the load. */
  readonly capacity: Float64Array;
  readonly #openLimit: Int32Array;
  readonly #publishedLimit: Int32Array;
  readonly #publishedWeight: Int32Array;
  readonly #softLimit: Int32Array;

  constructor(routes: number) {
    this.hardLimit = new Int32Array(routes);
    this.weight = new Float64Array(routes);
    this.part = new Int32Array(routes);
    this.capacity = new Float64Array(routes);
    this.#openLimit = new Int32Array(routes);
    this.#publishedLimit = new Int32Array(routes);
    this.#publishedWeight = new Int32Array(routes);
    this.#softLimit = new Int32Array(routes);
  }

  /** Open, and with all of its weight. A hard limit of 0 is none. */
  publish(route: number, hardLimit: number, weight: number, softLimit: number): void {
    this.#publishedLimit[route] = hardLimit > 0 ? hardLimit : UNLIMITED;
    this.#publishedWeight[route] = weight;
    this.#softLimit[route] = softLimit;
    this.admit(route, WHOLE_WEIGHT);
  }

  /** Publishes another route with the same values. */
  repeat(from: number, to: number): void {
    this.publish(to, this.#publishedLimit[from] ?? 0, this.#publishedWeight[from] ?? 0, this.#softLimit[from] ?? 1);
  }

  /** Ignores what is no route, as do the others below. */
  close(route: number): void {
    if (route >= 0) this.hardLimit[route] = CLOSED;
  }

  reopen(route: number): void {
    if (route >= 0) this.hardLimit[route] = this.#openLimit[route] ?? 0;
  }

  shut(route: number): void {
    if (route >= 0) this.hardLimit[route] = this.#openLimit[route] = CLOSED;
  }

  /** Gives it so many thousandths of its weight. */
  admit(route: number, permille: number): void {
    if (route < 0) return;
    this.hardLimit[route] = this.#openLimit[route] = this.#publishedLimit[route] ?? 0;
    this.part[route] = permille;
    const weight = this.#publishedWeight[route] ?? 0;
    const capacity = (this.#softLimit[route] ?? 1) * weight;
    // The whole is the product itself, without a rounding: equal scores are equal numbers.
    this.weight[route] = permille === WHOLE_WEIGHT ? weight : (weight * permille) / WHOLE_WEIGHT;
    this.capacity[route] = permille === WHOLE_WEIGHT ? capacity : (capacity * permille) / WHOLE_WEIGHT;
  }
}
