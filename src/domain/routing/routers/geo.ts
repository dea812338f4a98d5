/**
 * The `geo` router: the score of geo-score.ts over one pool. Its routes are not sorted by country and region, as those of the
 * whole routing database are, so each is looked at.
 */
import { EqualRoutes } from '../equal-routes.js';
import { OptionReader } from '../option-reader.js';
import type { Router, RouterContext, RouterPlugin } from '../router.js';

const CLASS_SCORE = 100;

class Geo implements Router {
  readonly #context: RouterContext;
  readonly #equals: EqualRoutes;

  constructor(context: RouterContext) {
    this.#context = context;
    this.#equals = new EqualRoutes(context.pool, context.random);
  }

  choose(request: number): number {
    // In variables of this function: read from fields, each would be loaded again for every route.
    const { words, pool } = this.#context;
    const { routes, count, table } = pool;
    const { activeAt, capacity, hardLimit, country, region, popRegion } = table;
    const clientCountry = this.#context.countryOf(request);
    const clientRegion = table.regionOf(clientCountry);
    let lowest = Infinity;
    this.#equals.clear();
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      const active = words[activeAt[route] ?? 0] ?? 0;
      const own = region[route] ?? 0;
      // 0: of the client's country, 1: of its region, 2: of this POP's, 3: none of these.
      let geoScore = 3;
      if (clientCountry >= 0 && country[route] === clientCountry) geoScore = 0;
      else if (own === 0) geoScore = 3;
      else if (own === clientRegion) geoScore = 1;
      else if (own === popRegion) geoScore = 2;
      const score = geoScore * CLASS_SCORE + active / (capacity[route] ?? 1);
      if (score > lowest || active >= (hardLimit[route] ?? 0)) continue;
      if (score < lowest) this.#equals.replaceBy(route);
      else this.#equals.add(route);
      lowest = score;
    }
    return this.#equals.pick();
  }
}

export const geoRouter: RouterPlugin<Record<string, never>> = {
  name: 'geo',
  hasAffinity: true,
  keys: [],
  parse: (config) => new OptionReader(config).result({}),
  create: (context) => new Geo(context),
};
