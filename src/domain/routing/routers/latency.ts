/**
 * The `latency` router: as `geo`, with the measured connect time (BACKEND.CONNECT_MICROS) in place of country and region.
 *
 *     score = class × 100 + (active ÷ soft_limit) ÷ weight
 *
 * Class 0 are all that are about as near as the nearest one with room, so these share by load: between two of nearly equal
 * latency no client depends on which of them was quicker a moment ago. Who belongs to them is decided with hysteresis: in below 1.2 times
 * the nearest or 2 ms more, out above 1.4 times or 4 ms more. A farther one's class rises with each doubling.
 *
 * Nobody knows how near a backend is without connecting to it. One that was never measured gets a client now and then while it
 * has none, and a small part of all choices (`explore`) goes to any backend, so that none stays far because it once was.
 * Health checks measure, too.
 */
import { BACKEND } from '../../shared/layout.js';
import { EqualRoutes } from '../equal-routes.js';
import { OptionReader } from '../option-reader.js';
import type { Pool } from '../pool.js';
import type { Router, RouterContext, RouterPlugin } from '../router.js';
import { WeightedDraw } from '../weighted-draw.js';
import type { Xorshift128 } from '../xorshift128.js';

export type LatencyOptions = {
  /** Share of the choices that do not go by latency. */
  readonly explore: number;
};

/** The connect time's word, from that of `active`. */
const CONNECT_MICROS = BACKEND.CONNECT_MICROS - BACKEND.ACTIVE;
const CLASS_SCORE = 100;
const ENTER = { times: 1.2, moreMicros: 2_000 } as const;
const LEAVE = { times: 1.4, moreMicros: 4_000 } as const;
/** Of one that was never measured, where others were: behind every class that a latency can have. */
const UNKNOWN_CLASS = 33;
/** One choice in so many looks at those that were never measured. */
const LOOKS = 16;
const DICE_SIDES = 2 ** 31;

class Latency implements Router {
  readonly #words: Int32Array;
  readonly #pool: Pool;
  readonly #random: Xorshift128;
  readonly #equals: EqualRoutes;
  readonly #draw: WeightedDraw;
  readonly #exploreBelow: number;
  /** By slot: 1 = among the nearest at the last choice. What this worker remembers of it no other one has to know. */
  readonly #isNear: Uint8Array;
  /** Microseconds; an array, as a number in a field would be allocated. */
  readonly #nearest = new Float64Array(1);

  constructor({ words, pool, random }: RouterContext, { explore }: LatencyOptions) {
    this.#words = words;
    this.#pool = pool;
    this.#random = random;
    this.#equals = new EqualRoutes(pool, random);
    this.#draw = new WeightedDraw(pool, random);
    this.#exploreBelow = explore * DICE_SIDES;
    this.#isNear = new Uint8Array(pool.table.routeOfSlot.length);
  }

  choose(): number {
    const dice = this.#random.next();
    if (dice < this.#exploreBelow) return this.#draw.draw();
    this.#findNearest();
    if (this.#nearest[0] === Infinity) this.#compare(0, 0, true);
    else this.#compare(this.#bound(ENTER), this.#bound(LEAVE), dice % LOOKS === 0);
    return this.#equals.pick();
  }

  #bound({ times, moreMicros }: typeof ENTER | typeof LEAVE): number {
    const nearest = this.#nearest[0] ?? 0;
    return Math.max(nearest * times, nearest + moreMicros);
  }

  /** Among those with room that were measured; Infinity where there is none. */
  #findNearest(): void {
    const words = this.#words;
    const { routes, count, table } = this.#pool;
    const { activeAt, hardLimit } = table;
    let nearest = Infinity;
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      const line = activeAt[route] ?? 0;
      const micros = words[line + CONNECT_MICROS] ?? 0;
      if (micros > 0 && micros < nearest && (words[line] ?? 0) < (hardLimit[route] ?? 0)) nearest = micros;
    }
    this.#nearest[0] = nearest;
  }

  /** Leaves the best in `#equals`. Nobody was measured where `leave` is 0. */
  #compare(enter: number, leave: number, doesLook: boolean): void {
    // In variables of this function: read from fields, each would be loaded again for every route.
    const words = this.#words;
    const isNear = this.#isNear;
    const { routes, count, table } = this.#pool;
    const { activeAt, capacity, hardLimit, slot } = table;
    let lowest = Infinity;
    this.#equals.clear();
    for (let index = 0; index < count; index++) {
      const route = routes[index] ?? -1;
      const line = activeAt[route] ?? 0;
      const active = words[line] ?? 0;
      const micros = words[line + CONNECT_MICROS] ?? 0;
      let latencyClass = 0;
      if (micros > 0) {
        const at = slot[route] ?? 0;
        const isNow = micros <= (isNear[at] === 1 ? leave : enter);
        isNear[at] = isNow ? 1 : 0;
        if (!isNow && lowest < CLASS_SCORE) continue;
        if (!isNow) latencyClass = 1 + doublings(micros / enter);
      } else if (!doesLook || (active > 0 && leave > 0)) latencyClass = UNKNOWN_CLASS;
      const score = latencyClass * CLASS_SCORE + active / (capacity[route] ?? 1);
      if (score > lowest || active >= (hardLimit[route] ?? 0)) continue;
      if (score < lowest) this.#equals.replaceBy(route);
      else this.#equals.add(route);
      lowest = score;
    }
  }
}

/** How often 1 must be doubled to come near a number of at least 1. */
function doublings(times: number): number {
  return 31 - Math.clz32(times);
}

export const latencyRouter: RouterPlugin<LatencyOptions> = {
  name: 'latency',
  hasAffinity: true,
  keys: ['explore'],
  parse: (config) => {
    const read = new OptionReader(config);
    return read.result({ explore: read.numberOrOff('explore', { from: 0.0001, to: 0.5 }, 0.01) });
  },
  create: (context, options) => new Latency(context, options),
};
