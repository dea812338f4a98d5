/**
 * The `hash` router: the same client always gets the same backend, in every worker, after a restart and at every POP
 * that has the same backends, without anybody remembering it. See rendezvous.ts for what happens where backends come and go.
 *
 * With a `load_factor` c no backend has more than c times its share of all connections, rounded up (Mirrokni, Thorup and
 * Zadimoghaddam, "Consistent hashing with bounded loads", 2018): a client whose first one has gets the next in its own order.
 */
import { textHash } from '../../shared/text-hash.js';
import { OptionReader } from '../option-reader.js';
import type { Pool } from '../pool.js';
import { Rendezvous } from '../rendezvous.js';
import { HASH_KEYS, type HashKeyName, RequestHash } from '../request-hash.js';
import type { Router, RouterContext, RouterPlugin } from '../router.js';

export type HashOptions = {
  readonly hashKey: HashKeyName;
  /** 0 = the hard limits alone bound the load. */
  readonly loadFactor: number;
  readonly seed: string;
};

/** What a whole number of connections may be above itself after some multiplications. */
const ROUNDING = 1e-6;

class Hash implements Router {
  readonly #pool: Pool;
  readonly #hash: RequestHash;
  readonly #rendezvous: Rendezvous;
  readonly #loadFactor: number;
  /** Connections that a backend may have for each part of weight; an array, as in a field it would be allocated. */
  readonly #share = new Float64Array(1);
  readonly #hasRoom = (route: number): boolean => this.#pool.hasRoom(route);
  readonly #isBelowBound = (route: number): boolean => {
    const bound = Math.ceil((this.#share[0] ?? 0) * (this.#pool.table.weight[route] ?? 0) - ROUNDING);
    return this.#pool.activeOf(route) < bound && this.#pool.hasRoom(route);
  };

  constructor(context: RouterContext, { hashKey, loadFactor, seed }: HashOptions) {
    this.#pool = context.pool;
    const seeds = [textHash(seed, 0), textHash(seed, 1), textHash(seed, 2), textHash(seed, 3)] as const;
    this.#hash = new RequestHash(context, hashKey, seeds);
    this.#rendezvous = new Rendezvous(context.pool);
    this.#loadFactor = loadFactor;
  }

  choose(request: number): number {
    this.#hash.take(request);
    const { high, low } = this.#hash;
    if (this.#loadFactor > 0) {
      this.#setShare();
      const bounded = this.#rendezvous.choose(high, low, this.#isBelowBound);
      if (bounded >= 0) return bounded;
      // Those below their bound are full or were tried: better beyond the bound than nowhere.
    }
    return this.#rendezvous.choose(high, low, this.#hasRoom);
  }

  /** By all connections with this client's; not returned, as a number that is no small integer would be allocated. */
  #setShare(): void {
    const { routes, count, table } = this.#pool;
    let connections = 1;
    let weights = 0;
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      connections += this.#pool.activeOf(route);
      weights += table.weight[route] ?? 0;
    }
    this.#share[0] = (this.#loadFactor * connections) / weights;
  }
}

export const hashRouter: RouterPlugin<HashOptions> = {
  name: 'hash',
  hasAffinity: false,
  keys: ['hash_key', 'load_factor', 'seed'],
  parse: (config) => {
    const read = new OptionReader(config);
    return read.result({
      hashKey: read.choice('hash_key', HASH_KEYS, 'client_ip'),
      loadFactor: read.numberOrOff('load_factor', { from: 1, to: 100 }, 0),
      seed: read.text('seed', ''),
    });
  },
  readsHello: ({ hashKey }) => hashKey === 'sni' || hashKey === 'session_id',
  create: (context, options) => new Hash(context, options),
};
