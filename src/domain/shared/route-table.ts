/**
 * The routing table as one worker chooses by it: only backends that can be chosen, as a structure of arrays.
 *
 *     index  0                     capacity n                                  2 n                     3 n
 *            ┌ country by country ──┬ region by region ──┬ bound clients only ──┬ pool by pool ──────────┐
 *            │ AR │ BR BR BR │ …    │ 0 │ 1 1 │ 2 │ …    │ weight 0             │ 1 1 1 │ 4 │ 7 7 │ …    │
 *
 * A choosable backend is there twice, so that those of a country and those of a region lie side by side, and the loop
 * over them reads no index first. Any of its routes stands for it; routeOfSlot tells the one among the regions.
 *
 * One that belongs to the pool of a rule has a route there as well, or (INLINE) there alone: what is shut for the rule is
 * not for the others, and the other way round.
 *
 * All arrays are made once for the region's capacity, and refilled: nothing here allocates while traffic flows.
 * A record that makes no sense (a slot beyond the region, for instance) is left out: no table can make route() fail.
 */
import { countInto, sumUp, takeNext } from './counting-sort.js';
import {
  BACKEND,
  COUNTRIES,
  COUNTRIES_AT,
  MAX_POOLS,
  MAX_REGIONS,
  ROUTE,
  ROUTE_FLAG,
  ROUTE_LINES,
  ROUTES_AT,
  ROUTES_HEADER,
  WORDS_PER_LINE,
} from './layout.js';
import { RouteShares } from './route-shares.js';

const RECORD_WORDS = ROUTE_LINES * WORDS_PER_LINE;
const TAKES_CLIENTS = ROUTE_FLAG.HEALTHY;
/** Where a backend without a country is sorted. */
const NO_COUNTRY = COUNTRIES;

export class RouteTable {
  /** Backends that new clients may be sent to; backends with those of weight 0. */
  choosable = 0;
  backends = 0;
  /** Routes that belong to pools. */
  pooled = 0;
  /** How often the table was filled: compare for equality alone. */
  version = 0;
  /** Region number of this POP, 0 = none. */
  popRegion = 0;
  readonly slot: Int32Array;
  /** Word of BACKEND.ACTIVE in the region. */
  readonly activeAt: Int32Array;
  /** See RouteShares. */
  readonly hardLimit: Int32Array;
  readonly weight: Float64Array;
  readonly part: Int32Array;
  readonly capacity: Float64Array;
  /** -1 = none. */
  readonly country: Int32Array;
  readonly region: Int32Array;
  readonly port: Int32Array;
  /** See ROUTE.KEY. */
  readonly keyHigh: Int32Array;
  readonly keyLow: Int32Array;
  /** Four words per route. */
  readonly address: Int32Array;
  /** Of a route of a pool that one's number, else 0. */
  readonly pool: Int32Array;
  /** Route that a bound client may be sent to, by slot; -1 where the slot takes none. */
  readonly routeOfSlot: Int32Array;
  /** The same for clients bound to a backend of a pool. */
  readonly poolRouteOfSlot: Int32Array;
  readonly #regionStart = new Int32Array(MAX_REGIONS + 2);
  readonly #countryStart = new Int32Array(COUNTRIES + 2);
  readonly #regionOfCountry = new Uint8Array(COUNTRIES);
  readonly #shares: RouteShares;
  /** The other route of a slot, where it is choosable; else -1. */
  readonly #routeAmongCountries: Int32Array;
  /** The columns of one word. */
  readonly #columns: readonly Int32Array[];
  readonly #slots: number;
  readonly #firstActive: number;
  /** Next free place of each bucket while a table is sorted. */
  readonly #next = new Int32Array(Math.max(MAX_REGIONS, COUNTRIES, MAX_POOLS) + 2);
  readonly #poolStart = new Int32Array(MAX_POOLS + 1);

  constructor(backends: number, firstBackendLine: number) {
    this.#slots = backends;
    this.#firstActive = firstBackendLine + BACKEND.ACTIVE;
    const routes = 3 * backends;
    this.slot = new Int32Array(routes);
    this.activeAt = new Int32Array(routes);
    this.#shares = new RouteShares(routes);
    this.hardLimit = this.#shares.hardLimit;
    this.weight = this.#shares.weight;
    this.part = this.#shares.part;
    this.capacity = this.#shares.capacity;
    this.country = new Int32Array(routes);
    this.region = new Int32Array(routes);
    this.port = new Int32Array(routes);
    this.keyHigh = new Int32Array(routes);
    this.keyLow = new Int32Array(routes);
    this.address = new Int32Array(routes * 4);
    this.pool = new Int32Array(routes);
    this.#columns = [this.slot, this.activeAt, this.country, this.region, this.port, this.keyHigh, this.keyLow];
    this.#routeAmongCountries = new Int32Array(backends).fill(-1);
    this.routeOfSlot = new Int32Array(backends).fill(-1);
    this.poolRouteOfSlot = new Int32Array(backends).fill(-1);
  }

  /** Region number of a country number; 0 where either is none. */
  regionOf(country: number): number {
    return this.#regionOfCountry[country] ?? 0;
  }

  /** Routes of a country: from here up to but without countryTo(). */
  countryFrom(country: number): number {
    return this.#countryStart[country] ?? 0;
  }

  countryTo(country: number): number {
    return this.#countryStart[country + 1] ?? 0;
  }

  /** Routes of a region; those of all regions begin with those of none, regionFrom(0). */
  regionFrom(region: number): number {
    return this.#slots + (this.#regionStart[region] ?? 0);
  }

  regionTo(region: number): number {
    return this.#slots + (this.#regionStart[region + 1] ?? 0);
  }

  /** Routes of a pool: from here up to but without poolTo(). Those of all pools begin with poolFrom(0). */
  poolFrom(pool: number): number {
    return 2 * this.#slots + (this.#poolStart[pool] ?? 0);
  }

  poolTo(pool: number): number {
    return 2 * this.#slots + (this.#poolStart[pool + 1] ?? 0);
  }

  /** The route of a slot in a pool, or -1. */
  routeInPool(slot: number, pool: number): number {
    const route = this.poolRouteOfSlot[slot] ?? -1;
    return route >= 0 && this.pool[route] === pool ? route : -1;
  }

  /** The slot of a backend from 0 up to but without `backends`. */
  slotAt(backend: number): number {
    return this.slot[this.#slots + backend] ?? 0;
  }

  /** Makes a slot count as full, for the time of one choice; ignores what is no slot. */
  close(slot: number): void {
    this.#shares.close(this.routeOfSlot[slot] ?? -1);
    this.#shares.close(this.#routeAmongCountries[slot] ?? -1);
    this.#shares.close(this.poolRouteOfSlot[slot] ?? -1);
  }

  /** Undoes close(), but not shut(). */
  reopen(slot: number): void {
    this.#shares.reopen(this.routeOfSlot[slot] ?? -1);
    this.#shares.reopen(this.#routeAmongCountries[slot] ?? -1);
    this.#shares.reopen(this.poolRouteOfSlot[slot] ?? -1);
  }

  /** Makes a slot count as full until admit() or the next table; not in its pool. */
  shut(slot: number): void {
    this.#shares.shut(this.routeOfSlot[slot] ?? -1);
    this.#shares.shut(this.#routeAmongCountries[slot] ?? -1);
  }

  /** Undoes shut(), and gives the slot so many thousandths of its weight. */
  admit(slot: number, permille: number): void {
    this.#shares.admit(this.routeOfSlot[slot] ?? -1, permille);
    this.#shares.admit(this.#routeAmongCountries[slot] ?? -1, permille);
  }

  /** The same for a route of a pool. */
  shutRoute(route: number): void {
    this.#shares.shut(route);
  }

  admitRoute(route: number, permille: number): void {
    this.#shares.admit(route, permille);
  }

  /** Takes over a copy of a routes table with `count` records. */
  fill(copy: Int32Array, count: number): void {
    this.popRegion = regionNumber(copy[ROUTES_HEADER.POP_REGION] ?? 0);
    for (let country = 0; country < COUNTRIES; country++) {
      const word = copy[COUNTRIES_AT + (country >> 2)] ?? 0;
      this.#regionOfCountry[country] = (word >>> ((country & 3) * 8)) & 0xff;
    }
    this.version++;
    this.routeOfSlot.fill(-1);
    this.#routeAmongCountries.fill(-1);
    this.poolRouteOfSlot.fill(-1);
    this.#sortByRegion(copy, count);
    this.#addBoundOnly(copy, count);
    this.#repeatByCountry();
    this.#addPooled(copy, count);
  }

  #sortByRegion(copy: Int32Array, count: number): void {
    const starts = this.#regionStart.fill(0);
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (this.#isInDatabase(copy, record) && weightOf(copy, record) > 0) {
        countInto(starts, regionNumber(copy[record + ROUTE.REGION] ?? 0));
      }
    }
    this.choosable = sumUp(starts);
    this.#next.set(starts);
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (!this.#isInDatabase(copy, record) || weightOf(copy, record) === 0) continue;
      const place = takeNext(this.#next, regionNumber(copy[record + ROUTE.REGION] ?? 0));
      this.#take(copy, record, this.#slots + place);
    }
  }

  /** Weight 0 takes no new clients, but those that are bound to it come back. */
  #addBoundOnly(copy: Int32Array, count: number): void {
    let route = this.#slots + this.choosable;
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (this.#isInDatabase(copy, record) && weightOf(copy, record) === 0) this.#take(copy, record, route++);
    }
    this.backends = route - this.#slots;
  }

  #repeatByCountry(): void {
    const first = this.#slots;
    const end = first + this.choosable;
    const starts = this.#countryStart.fill(0);
    for (let route = first; route < end; route++) countInto(starts, this.#countryBucket(route));
    sumUp(starts);
    this.#next.set(starts);
    for (let route = first; route < end; route++) this.#repeat(route, takeNext(this.#next, this.#countryBucket(route)));
  }

  #repeat(from: number, to: number): void {
    for (const column of this.#columns) column[to] = column[from] ?? 0;
    this.#shares.repeat(from, to);
    this.#routeAmongCountries[this.slot[from] ?? 0] = to;
    this.address.copyWithin(to * 4, from * 4, from * 4 + 4);
  }

  #addPooled(copy: Int32Array, count: number): void {
    const starts = this.#poolStart.fill(0);
    for (let index = 0; index < count; index++) {
      const pool = this.#poolOf(copy, ROUTES_AT + index * RECORD_WORDS);
      if (pool > 0) countInto(starts, pool);
    }
    this.pooled = sumUp(starts);
    if (this.pooled === 0) return;
    this.#next.set(starts);
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      const pool = this.#poolOf(copy, record);
      if (pool === 0) continue;
      const route = 2 * this.#slots + takeNext(this.#next, pool);
      this.#describe(copy, record, route);
      this.pool[route] = pool;
      this.poolRouteOfSlot[copy[record + ROUTE.SLOT] ?? 0] = route;
    }
  }

  /** 0 where it takes no clients, or is in none. */
  #poolOf(copy: Int32Array, record: number): number {
    const pool = copy[record + ROUTE.POOL] ?? 0;
    return pool > 0 && pool < MAX_POOLS && this.#takesClients(copy, record) ? pool : 0;
  }

  #countryBucket(route: number): number {
    const country = this.country[route] ?? -1;
    return country < 0 ? NO_COUNTRY : country;
  }

  #takesClients(copy: Int32Array, record: number): boolean {
    const slot = copy[record + ROUTE.SLOT] ?? -1;
    const flags = copy[record + ROUTE.FLAGS] ?? 0;
    return slot >= 0 && slot < this.#slots && (flags & (ROUTE_FLAG.HEALTHY | ROUTE_FLAG.DRAINING)) === TAKES_CLIENTS;
  }

  #isInDatabase(copy: Int32Array, record: number): boolean {
    return this.#takesClients(copy, record) && ((copy[record + ROUTE.FLAGS] ?? 0) & ROUTE_FLAG.INLINE) === 0;
  }

  #take(copy: Int32Array, record: number, route: number): void {
    this.#describe(copy, record, route);
    this.routeOfSlot[copy[record + ROUTE.SLOT] ?? 0] = route;
  }

  #describe(copy: Int32Array, record: number, route: number): void {
    const slot = copy[record + ROUTE.SLOT] ?? 0;
    const softLimit = Math.max(copy[record + ROUTE.SOFT_LIMIT] ?? 1, 1);
    const country = copy[record + ROUTE.COUNTRY] ?? -1;
    this.slot[route] = slot;
    this.activeAt[route] = this.#firstActive + slot * WORDS_PER_LINE;
    this.#shares.publish(route, copy[record + ROUTE.HARD_LIMIT] ?? 0, weightOf(copy, record), softLimit);
    this.country[route] = country >= 0 && country < COUNTRIES ? country : -1;
    this.region[route] = regionNumber(copy[record + ROUTE.REGION] ?? 0);
    this.port[route] = copy[record + ROUTE.PORT] ?? 0;
    this.keyHigh[route] = copy[record + ROUTE.KEY] ?? 0;
    this.keyLow[route] = copy[record + ROUTE.KEY + 1] ?? 0;
    for (let word = 0; word < 4; word++) this.address[route * 4 + word] = copy[record + ROUTE.ADDRESS + word] ?? 0;
  }
}

function regionNumber(word: number): number {
  return word > 0 && word <= MAX_REGIONS ? word : 0;
}

function weightOf(copy: Int32Array, record: number): number {
  return Math.max(copy[record + ROUTE.WEIGHT] ?? 0, 0);
}
