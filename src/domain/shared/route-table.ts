/**
 * The routing table as one worker chooses by it: only backends that can be chosen, as a structure of arrays.
 *
 *     index  0                     capacity n                                  2 n
 *            ┌ country by country ──┬ region by region ──┬ bound clients only ──┐
 *            │ AR │ BR BR BR │ …    │ 0 │ 1 1 │ 2 │ …    │ weight 0             │
 *
 * A choosable backend is there twice, so that those of a country and those of a region lie side by side, and the loop
 * over them reads no index first. Any of its routes stands for it; routeOfSlot tells the one among the regions.
 *
 * All arrays are made once for the region's capacity, and refilled: nothing here allocates while traffic flows.
 * A record that makes no sense (a slot beyond the region, for instance) is left out: no table can make route() fail.
 */
import { countInto, sumUp, takeNext } from './counting-sort.js';
import {
  BACKEND,
  COUNTRIES,
  COUNTRIES_AT,
  MAX_REGIONS,
  ROUTE,
  ROUTE_FLAG,
  ROUTE_LINES,
  ROUTES_AT,
  ROUTES_HEADER,
  WORDS_PER_LINE,
} from './layout.js';
import { UNLIMITED } from './reservations.js';

const RECORD_WORDS = ROUTE_LINES * WORDS_PER_LINE;
/** As a hard limit: full whatever the load. */
const CLOSED = -0x80000000;
const TAKES_CLIENTS = ROUTE_FLAG.HEALTHY;
/** Where a backend without a country is sorted. */
const NO_COUNTRY = COUNTRIES;

export class RouteTable {
  /** Backends that new clients may be sent to. */
  choosable = 0;
  /** Region number of this POP, 0 = none. */
  popRegion = 0;
  readonly slot: Int32Array;
  /** Word of BACKEND.ACTIVE in the region. */
  readonly activeAt: Int32Array;
  readonly hardLimit: Int32Array;
  readonly weight: Int32Array;
  /** soft_limit × weight: `active` divided by it is the load. */
  readonly capacity: Float64Array;
  /** -1 = none. */
  readonly country: Int32Array;
  readonly region: Int32Array;
  readonly port: Int32Array;
  /** Four words per route. */
  readonly address: Int32Array;
  /** Route that a bound client may be sent to, by slot; -1 where the slot takes none. */
  readonly routeOfSlot: Int32Array;
  readonly #regionStart = new Int32Array(MAX_REGIONS + 2);
  readonly #countryStart = new Int32Array(COUNTRIES + 2);
  readonly #regionOfCountry = new Uint8Array(COUNTRIES);
  /** Hard limits as they are in the table, whatever is closed. */
  readonly #openLimit: Int32Array;
  /** The other route of a slot, where it is choosable; else -1. */
  readonly #routeAmongCountries: Int32Array;
  /** The columns of one word. */
  readonly #columns: readonly Int32Array[];
  readonly #slots: number;
  readonly #firstActive: number;
  /** Next free place of each bucket while a table is sorted. */
  readonly #next = new Int32Array(Math.max(MAX_REGIONS, COUNTRIES) + 2);

  constructor(backends: number, firstBackendLine: number) {
    this.#slots = backends;
    this.#firstActive = firstBackendLine + BACKEND.ACTIVE;
    const routes = 2 * backends;
    this.slot = new Int32Array(routes);
    this.activeAt = new Int32Array(routes);
    this.hardLimit = new Int32Array(routes);
    this.weight = new Int32Array(routes);
    this.capacity = new Float64Array(routes);
    this.country = new Int32Array(routes);
    this.region = new Int32Array(routes);
    this.port = new Int32Array(routes);
    this.address = new Int32Array(routes * 4);
    this.#openLimit = new Int32Array(routes);
    this.#columns = [
      this.slot,
      this.activeAt,
      this.hardLimit,
      this.#openLimit,
      this.weight,
      this.country,
      this.region,
      this.port,
    ];
    this.#routeAmongCountries = new Int32Array(backends).fill(-1);
    this.routeOfSlot = new Int32Array(backends).fill(-1);
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

  /** Makes a slot count as full, for the time of one choice; ignores what is no slot. */
  close(slot: number): void {
    this.#limit(this.routeOfSlot[slot] ?? -1, false);
    this.#limit(this.#routeAmongCountries[slot] ?? -1, false);
  }

  /** Undoes close(). */
  reopen(slot: number): void {
    this.#limit(this.routeOfSlot[slot] ?? -1, true);
    this.#limit(this.#routeAmongCountries[slot] ?? -1, true);
  }

  #limit(route: number, isOpen: boolean): void {
    if (route >= 0) this.hardLimit[route] = isOpen ? (this.#openLimit[route] ?? 0) : CLOSED;
  }

  /** Takes over a copy of a routes table with `count` records. */
  fill(copy: Int32Array, count: number): void {
    this.popRegion = regionNumber(copy[ROUTES_HEADER.POP_REGION] ?? 0);
    for (let country = 0; country < COUNTRIES; country++) {
      const word = copy[COUNTRIES_AT + (country >> 2)] ?? 0;
      this.#regionOfCountry[country] = (word >>> ((country & 3) * 8)) & 0xff;
    }
    this.routeOfSlot.fill(-1);
    this.#routeAmongCountries.fill(-1);
    this.#sortByRegion(copy, count);
    this.#addBoundOnly(copy, count);
    this.#repeatByCountry();
  }

  #sortByRegion(copy: Int32Array, count: number): void {
    const starts = this.#regionStart.fill(0);
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (this.#takesClients(copy, record) && weightOf(copy, record) > 0) {
        countInto(starts, regionNumber(copy[record + ROUTE.REGION] ?? 0));
      }
    }
    this.choosable = sumUp(starts);
    this.#next.set(starts);
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (!this.#takesClients(copy, record) || weightOf(copy, record) === 0) continue;
      const place = takeNext(this.#next, regionNumber(copy[record + ROUTE.REGION] ?? 0));
      this.#take(copy, record, this.#slots + place);
    }
  }

  /** Weight 0 takes no new clients, but those that are bound to it come back. */
  #addBoundOnly(copy: Int32Array, count: number): void {
    let route = this.#slots + this.choosable;
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (this.#takesClients(copy, record) && weightOf(copy, record) === 0) this.#take(copy, record, route++);
    }
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
    this.capacity[to] = this.capacity[from] ?? 1;
    for (const column of this.#columns) column[to] = column[from] ?? 0;
    this.#routeAmongCountries[this.slot[from] ?? 0] = to;
    this.address.copyWithin(to * 4, from * 4, from * 4 + 4);
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

  #take(copy: Int32Array, record: number, route: number): void {
    const slot = copy[record + ROUTE.SLOT] ?? 0;
    const weight = weightOf(copy, record);
    const hardLimit = copy[record + ROUTE.HARD_LIMIT] ?? 0;
    const country = copy[record + ROUTE.COUNTRY] ?? -1;
    this.slot[route] = slot;
    this.activeAt[route] = this.#firstActive + slot * WORDS_PER_LINE;
    this.hardLimit[route] = this.#openLimit[route] = hardLimit > 0 ? hardLimit : UNLIMITED;
    this.weight[route] = weight;
    this.capacity[route] = Math.max(copy[record + ROUTE.SOFT_LIMIT] ?? 1, 1) * weight;
    this.country[route] = country >= 0 && country < COUNTRIES ? country : -1;
    this.region[route] = regionNumber(copy[record + ROUTE.REGION] ?? 0);
    this.port[route] = copy[record + ROUTE.PORT] ?? 0;
    for (let word = 0; word < 4; word++) this.address[route * 4 + word] = copy[record + ROUTE.ADDRESS + word] ?? 0;
    this.routeOfSlot[slot] = route;
  }
}

function regionNumber(word: number): number {
  return word > 0 && word <= MAX_REGIONS ? word : 0;
}

function weightOf(copy: Int32Array, record: number): number {
  return Math.max(copy[record + ROUTE.WEIGHT] ?? 0, 0);
}
