/**
 * The routing table as one worker chooses by it: only backends that can be chosen, as a structure of arrays.
 *
 *     routes   ┌ for new clients, region by region: 0 0 │ 1 1 1 │ 2 │ …
 *              └ behind `choosable`: weight 0, only for bound clients, reached through routeOfSlot alone
 *     order    ┌ indices of the choosable ones, country by country
 *              └ from the table's capacity on: the same, region by region, which is 0, 1, 2, …
 *
 * All arrays are made once for the region's capacity, and refilled: nothing here allocates while traffic flows.
 * A record that makes no sense (a slot beyond the region, for instance) is left out: no table can make route() fail.
 */
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
const TAKES_CLIENTS = ROUTE_FLAG.HEALTHY;
/** Where a backend without a country is sorted. */
const NO_COUNTRY = COUNTRIES;

export class RouteTable {
  /** Routes that new clients may be sent to: indices below this. */
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
  /** Both orders in one array, so that one loop visits countries and regions alike. */
  readonly order: Int32Array;
  /** Route that a bound client may be sent to, by slot; -1 where the slot takes none. */
  readonly routeOfSlot: Int32Array;
  readonly #regionStart = new Int32Array(MAX_REGIONS + 2);
  readonly #countryStart = new Int32Array(COUNTRIES + 2);
  readonly #regionOfCountry = new Uint8Array(COUNTRIES);
  readonly #slots: number;
  readonly #firstActive: number;
  /** Next free place of each bucket while a table is sorted. */
  readonly #next = new Int32Array(Math.max(MAX_REGIONS, COUNTRIES) + 2);

  constructor(backends: number, firstBackendLine: number) {
    this.#slots = backends;
    this.#firstActive = firstBackendLine + BACKEND.ACTIVE;
    this.slot = new Int32Array(backends);
    this.activeAt = new Int32Array(backends);
    this.hardLimit = new Int32Array(backends);
    this.weight = new Int32Array(backends);
    this.capacity = new Float64Array(backends);
    this.country = new Int32Array(backends);
    this.region = new Int32Array(backends);
    this.port = new Int32Array(backends);
    this.address = new Int32Array(backends * 4);
    this.order = Int32Array.from({ length: 2 * backends }, (_, place) => Math.max(0, place - backends));
    this.routeOfSlot = new Int32Array(backends).fill(-1);
  }

  /** Region number of a country number; 0 where either is none. */
  regionOf(country: number): number {
    return this.#regionOfCountry[country] ?? 0;
  }

  /** Places in `order` of a country's routes: from here up to but without countryTo(). */
  countryFrom(country: number): number {
    return this.#countryStart[country] ?? 0;
  }

  countryTo(country: number): number {
    return this.#countryStart[country + 1] ?? 0;
  }

  /** Places in `order` of a region's routes; those of all choosable routes begin at regionFrom(0). */
  regionFrom(region: number): number {
    return this.#slots + (this.#regionStart[region] ?? 0);
  }

  regionTo(region: number): number {
    return this.#slots + (this.#regionStart[region + 1] ?? 0);
  }

  /** Takes over a copy of a routes table with `count` records. */
  fill(copy: Int32Array, count: number): void {
    this.popRegion = regionNumber(copy[ROUTES_HEADER.POP_REGION] ?? 0);
    for (let country = 0; country < COUNTRIES; country++) {
      const word = copy[COUNTRIES_AT + (country >> 2)] ?? 0;
      this.#regionOfCountry[country] = (word >>> ((country & 3) * 8)) & 0xff;
    }
    this.routeOfSlot.fill(-1);
    this.#sortByRegion(copy, count);
    this.#addBoundOnly(copy, count);
    this.#indexByCountry();
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
      this.#take(copy, record, takeNext(this.#next, regionNumber(copy[record + ROUTE.REGION] ?? 0)));
    }
  }

  /** Weight 0 takes no new clients, but those that are bound to it come back. */
  #addBoundOnly(copy: Int32Array, count: number): void {
    let route = this.choosable;
    for (let index = 0; index < count; index++) {
      const record = ROUTES_AT + index * RECORD_WORDS;
      if (this.#takesClients(copy, record) && weightOf(copy, record) === 0) this.#take(copy, record, route++);
    }
  }

  #indexByCountry(): void {
    const starts = this.#countryStart.fill(0);
    for (let route = 0; route < this.choosable; route++) countInto(starts, this.#countryBucket(route));
    sumUp(starts);
    this.#next.set(starts);
    for (let route = 0; route < this.choosable; route++) {
      this.order[takeNext(this.#next, this.#countryBucket(route))] = route;
    }
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
    this.hardLimit[route] = hardLimit > 0 ? hardLimit : UNLIMITED;
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

/** Counts one more in a bucket; the count stands one place further on, so that sumUp() makes it a start. */
function countInto(starts: Int32Array, bucket: number): void {
  starts[bucket + 1] = (starts[bucket + 1] ?? 0) + 1;
}

/** Makes counts starts; returns the total. */
function sumUp(starts: Int32Array): number {
  let total = 0;
  for (let bucket = 0; bucket < starts.length; bucket++) {
    total += starts[bucket] ?? 0;
    starts[bucket] = total;
  }
  return total;
}

function takeNext(next: Int32Array, bucket: number): number {
  const place = next[bucket] ?? 0;
  next[bucket] = place + 1;
  return place;
}
