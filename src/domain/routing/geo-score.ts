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
 * hundredfold beyond its soft limit loses to the next class. A region's routes include those of the country, and the last
 * class is all of them: no need to leave the earlier ones out, their second score is 100 or more above their first.
 *
 * Equal scores share by weight: one random number picks among the routes that have the lowest.
 */
import { COUNTRIES } from '../shared/layout.js';
import type { RouteTable } from '../shared/route-table.js';
import { createRouteScan, type Found, type RouteScan } from './route-scan.js';
import { createWeightedPick, type WeightedPick } from './weighted-pick.js';
import type { Xorshift128 } from './xorshift128.js';

const CLASS_SCORE = 100;

export class GeoScore {
  readonly #table: RouteTable;
  readonly #tried: Int32Array;
  readonly #found: Found;
  readonly #scan: RouteScan;
  readonly #pick: WeightedPick;

  /** `words` are the region's; `tried` is where choose() is told the slots already tried: the batch's requests. */
  constructor(words: Int32Array, table: RouteTable, random: Xorshift128, tried: Int32Array) {
    const equals = new Int32Array(table.routeOfSlot.length);
    this.#table = table;
    this.#tried = tried;
    this.#found = { lowest: new Float64Array(1), equals, count: new Int32Array(1) };
    this.#scan = createRouteScan(words, table, this.#found);
    this.#pick = createWeightedPick(table.weight, equals, random);
  }

  /**
   * The best route for a client of that country number (-1 = unknown), or -1 where there is no candidate. The slots in
   * `tried` from `triedFrom` up to but without `triedTo` are none. Allocates nothing.
   */
  choose(country: number, triedFrom: number, triedTo: number): number {
    const { lowest, count } = this.#found;
    lowest[0] = Infinity;
    count[0] = 0;
    for (let at = triedFrom; at < triedTo; at++) this.#table.close(this.#tried[at] ?? -1);
    this.#search(country);
    for (let at = triedFrom; at < triedTo; at++) this.#table.reopen(this.#tried[at] ?? -1);
    return this.#pick(count[0]);
  }

  #search(country: number): void {
    const table = this.#table;
    if (country >= 0 && country < COUNTRIES) this.#visit(0, table.countryFrom(country), table.countryTo(country));
    const region = table.regionOf(country);
    if (region > 0) this.#visit(1, table.regionFrom(region), table.regionTo(region));
    const pop = table.popRegion;
    if (pop > 0 && pop !== region) this.#visit(2, table.regionFrom(pop), table.regionTo(pop));
    const all = table.regionFrom(0);
    this.#visit(3, all, all + table.choosable);
  }

  /** Looks at the routes of a class, unless none of them can have the best score or one equal to it. */
  #visit(geoScore: number, from: number, to: number): void {
    const base = geoScore * CLASS_SCORE;
    if (from < to && (this.#found.lowest[0] ?? 0) >= base) this.#scan(base, from, to);
  }
}
