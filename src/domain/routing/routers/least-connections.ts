/**
 * The `least_connections` router: the backend with the fewest connections over all workers for its weight; equals share by
 * weight. One that starts slowly counts with the part of its weight that it has.
 */
import { EqualRoutes } from '../equal-routes.js';
import { OptionReader } from '../option-reader.js';
import type { Pool } from '../pool.js';
import type { Router, RouterContext, RouterPlugin } from '../router.js';

class LeastConnections implements Router {
  readonly #words: Int32Array;
  readonly #pool: Pool;
  readonly #equals: EqualRoutes;

  constructor({ words, pool, random }: RouterContext) {
    this.#words = words;
    this.#pool = pool;
    this.#equals = new EqualRoutes(pool, random);
  }

  choose(): number {
    // In variables of this function: read from fields, each would be loaded again for every route.
    const words = this.#words;
    const { routes, count, table } = this.#pool;
    const { activeAt, weight, hardLimit } = table;
    let least = Infinity;
    this.#equals.clear();
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      const active = words[activeAt[route] ?? 0] ?? 0;
      // Equal ratios are equal numbers: a division is rounded once.
      const load = active / (weight[route] ?? 1);
      if (load > least || active >= (hardLimit[route] ?? 0)) continue;
      if (load < least) this.#equals.replaceBy(route);
      else this.#equals.add(route);
      least = load;
    }
    return this.#equals.pick();
  }
}

export const leastConnectionsRouter: RouterPlugin<Record<string, never>> = {
  name: 'least_connections',
  hasAffinity: false,
  keys: [],
  parse: (config) => new OptionReader(config).result({}),
  create: (context) => new LeastConnections(context),
};
