/**
 * The `geo` router: the lowest
 *
 *     score = geo_score × 100 + (active ÷ soft_limit) ÷ weight
 *
 * wins, where geo_score is 0 for the client's country, 1 for its region, 2 for this POP's region, 3 elsewhere. Computed
 * as active ÷ (soft_limit × weight): one rounding instead of two, so equal scores are equal numbers.
 *
 * The routes are visited class by class. A class's scores start at 100 × its number, so the search ends before the first
 * class that cannot reach the best score found: mostly after the country or the region. Only a backend loaded a
 * hundredfold beyond its soft limit loses to the next class.
 *
 * Equal scores share by weight: one random number picks among the routes that have the lowest.
 */
import { COUNTRIES } from '../shared/layout.js';
import type { RouteTable } from '../shared/route-table.js';
import { createRouteScan, FOUND, type Found, type RouteScan } from './route-scan.js';
import type { Xorshift128 } from './xorshift128.js';

const CLASS_SCORE = 100;
/** Equal to no country and no region of a backend. */
const NOTHING = -2;
const UNIFORM = 2 ** -31;

export class GeoScore {
  readonly #table: RouteTable;
  readonly #random: Xorshift128;
  readonly #tried: Int32Array;
  readonly #found: Found;
  readonly #scan: RouteScan;

  /** `words` are the region's; `tried` is where choose() is told the slots already tried: the batch's requests. */
  constructor(words: Int32Array, table: RouteTable, random: Xorshift128, tried: Int32Array) {
    const routes = table.slot.length;
    this.#table = table;
    this.#random = random;
    this.#tried = tried;
    this.#found = {
      state: new Float64Array(3),
      equals: new Int32Array(routes),
      weightUpTo: new Float64Array(routes),
      isExcluded: new Uint8Array(routes),
    };
    this.#scan = createRouteScan(words, table, this.#found);
  }

  /**
   * Index of the best route for a client of that country number (-1 = unknown), or -1 where there is no candidate. The
   * slots in `tried` from `triedFrom` up to but without `triedTo` are none. Allocates nothing.
   */
  choose(country: number, triedFrom: number, triedTo: number): number {
    const { state } = this.#found;
    state[FOUND.SCORE] = Infinity;
    state[FOUND.WEIGHT] = 0;
    state[FOUND.COUNT] = 0;
    if (triedFrom < triedTo) this.#exclude(triedFrom, triedTo, 1);
    this.#search(country >= 0 && country < COUNTRIES ? country : NOTHING);
    if (triedFrom < triedTo) this.#exclude(triedFrom, triedTo, 0);
    return this.#pick();
  }

  #exclude(triedFrom: number, triedTo: number, isExcluded: 0 | 1): void {
    for (let at = triedFrom; at < triedTo; at++) {
      const route = this.#table.routeOfSlot[this.#tried[at] ?? -1] ?? -1;
      if (route >= 0) this.#found.isExcluded[route] = isExcluded;
    }
  }

  #search(country: number): void {
    const table = this.#table;
    if (country >= 0) this.#scan(0, table.countryFrom(country), table.countryTo(country), NOTHING, NOTHING, NOTHING);
    const region = table.regionOf(country) || NOTHING;
    if (region > 0 && this.#canWin(1)) this.#scanRegion(1, region, country);
    const popRegion = table.popRegion || NOTHING;
    if (popRegion > 0 && popRegion !== region && this.#canWin(2)) this.#scanRegion(2, popRegion, country);
    if (this.#canWin(3)) {
      const from = table.regionFrom(0);
      this.#scan(3 * CLASS_SCORE, from, from + table.choosable, country, region, popRegion);
    }
  }

  #scanRegion(geoScore: number, region: number, country: number): void {
    const table = this.#table;
    this.#scan(geoScore * CLASS_SCORE, table.regionFrom(region), table.regionTo(region), country, NOTHING, NOTHING);
  }

  /** Whether a route of this class could have the best score, or one equal to it. */
  #canWin(geoScore: number): boolean {
    return (this.#found.state[FOUND.SCORE] ?? 0) >= geoScore * CLASS_SCORE;
  }

  #pick(): number {
    const { state, equals, weightUpTo } = this.#found;
    const count = state[FOUND.COUNT] ?? 0;
    if (count < 2) return count === 0 ? -1 : (equals[0] ?? -1);
    const point = this.#random.next() * UNIFORM * (state[FOUND.WEIGHT] ?? 0);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((weightUpTo[middle] ?? 0) > point) high = middle;
      else low = middle + 1;
    }
    return equals[low] ?? -1;
  }
}
