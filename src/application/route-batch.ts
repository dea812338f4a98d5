/**
 * The decision for each new connection of a worker: its binding where that still holds, else the geo score; a place
 * reserved at once; the binding made. Called by the relay once per batch, between two reads of its sockets.
 *
 * Nothing on this path allocates, waits or throws: what cannot be routed is answered with a reason.
 */
import type { CountryLookup } from '../domain/routing/country-lookup.js';
import { GeoScore } from '../domain/routing/geo-score.js';
import { Xorshift128 } from '../domain/routing/xorshift128.js';
import { BindingKey } from '../domain/shared/binding-key.js';
import { BindingTable } from '../domain/shared/binding-table.js';
import type { ControlRegion, Seeds } from '../domain/shared/control-region.js';
import {
  MAX_TRIES,
  REJECT_REASONS,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  RESPONSE_WORDS,
} from '../domain/shared/layout.js';
import { Reservations } from '../domain/shared/reservations.js';
import type { RouteTable } from '../domain/shared/route-table.js';
import { RoutesReader } from '../domain/shared/routes-reader.js';

/**
 * Choices per request. One is lost only where another worker takes the last place of the chosen backend between the look
 * at its `active` and the reservation; the next choice then sees it full.
 */
const MAX_CHOICES = 16;
const NO_BACKEND = -1 - REJECT_REASONS.indexOf('no_backend');
const CONNECT_FAILED = -1 - REJECT_REASONS.indexOf('connect_failed');

export interface RouteBatchOptions {
  readonly region: ControlRegion;
  readonly worker: number;
  /** The arrays shared with the relay, see REQUEST and RESPONSE; word 0 of `clock` is now in seconds. */
  readonly requests: Int32Array;
  readonly responses: Int32Array;
  readonly clock: Int32Array;
  /** 0 turns affinity off. */
  readonly bindingTtlSecs: number;
  /** Randomness for ties, another for each worker. */
  readonly seeds: Seeds;
}

export class RouteBatch {
  readonly #requests: Int32Array;
  readonly #responses: Int32Array;
  readonly #clock: Int32Array;
  readonly #ttlSecs: number;
  readonly #capacity: number;
  readonly #reader: RoutesReader;
  readonly #table: RouteTable;
  readonly #score: GeoScore;
  readonly #bindings: BindingTable;
  readonly #key: BindingKey;
  readonly #reservations: Reservations;
  #countries: CountryLookup | null = null;

  constructor({ region, worker, requests, responses, clock, bindingTtlSecs, seeds }: RouteBatchOptions) {
    this.#requests = requests;
    this.#responses = responses;
    this.#clock = clock;
    // The clock counts whole seconds: one more, so that no binding ends before its time.
    this.#ttlSecs = bindingTtlSecs > 0 ? bindingTtlSecs + 1 : 0;
    this.#capacity = Math.floor(Math.min(requests.length / REQUEST_WORDS, responses.length / RESPONSE_WORDS));
    this.#reader = new RoutesReader(region, worker);
    this.#table = this.#reader.table;
    this.#score = new GeoScore(region.words, this.#table, new Xorshift128(seeds), requests);
    this.#bindings = new BindingTable(region);
    this.#key = new BindingKey(region.seeds());
    this.#reservations = new Reservations(region, worker);
  }

  /** Takes another geo database from the next batch on; with null every client is of no country. */
  useCountries(countries: CountryLookup | null): void {
    this.#countries = countries;
  }

  /** Answers the first `count` requests. */
  route(count: number): void {
    const nowSecs = this.#clock[0] ?? 0;
    const end = Math.min(count, this.#capacity);
    this.#reader.enter();
    for (let index = 0; index < end; index++) {
      const request = index * REQUEST_WORDS;
      this.#answer(index * RESPONSE_WORDS, request, this.#decide(request, nowSecs));
    }
    this.#reader.leave();
  }

  /** The route that a place is now reserved on, or -1. */
  #decide(request: number, nowSecs: number): number {
    const triedFrom = request + REQUEST.TRIED_SLOTS;
    const triedTo = triedFrom + this.#tries(request);
    if (this.#ttlSecs <= 0) return this.#chooseAndReserve(request, triedFrom, triedTo);
    this.#assignKey(request);
    const bound = this.#bindings.find(this.#key, nowSecs, this.#ttlSecs);
    if (bound >= 0 && this.#reserveBound(bound, triedFrom, triedTo)) return this.#table.routeOfSlot[bound] ?? -1;
    const route = this.#chooseAndReserve(request, triedFrom, triedTo);
    // Once the place is sure, so that nobody is bound to a backend that did not take him.
    if (route >= 0) this.#bindings.insert(this.#key, this.#table.slot[route] ?? 0, nowSecs, this.#ttlSecs);
    return route;
  }

  #tries(request: number): number {
    return Math.min(Math.max(this.#requests[request + REQUEST.TRIES] ?? 0, 0), MAX_TRIES);
  }

  #reserveBound(slot: number, triedFrom: number, triedTo: number): boolean {
    const route = this.#table.routeOfSlot[slot] ?? -1;
    if (route < 0) return false;
    for (let at = triedFrom; at < triedTo; at++) if (this.#requests[at] === slot) return false;
    return this.#reservations.reserve(slot, this.#table.hardLimit[route] ?? 0);
  }

  #chooseAndReserve(request: number, triedFrom: number, triedTo: number): number {
    const table = this.#table;
    const country = this.#countryOf(request);
    for (let choices = 0; choices < MAX_CHOICES; choices++) {
      const route = this.#score.choose(country, triedFrom, triedTo);
      if (route < 0) return -1;
      if (this.#reservations.reserve(table.slot[route] ?? 0, table.hardLimit[route] ?? 0)) return route;
    }
    return -1;
  }

  #countryOf(request: number): number {
    if (this.#countries === null) return -1;
    const requests = this.#requests;
    const at = request + REQUEST.ADDRESS;
    return this.#countries.countryOf(
      requests[at] ?? 0,
      requests[at + 1] ?? 0,
      requests[at + 2] ?? 0,
      requests[at + 3] ?? 0,
    );
  }

  #assignKey(request: number): void {
    const requests = this.#requests;
    const listener = requests[request + REQUEST.LISTENER] ?? 0;
    const at = request + REQUEST.ADDRESS;
    this.#key.assign(listener, requests[at] ?? 0, requests[at + 1] ?? 0, requests[at + 2] ?? 0, requests[at + 3] ?? 0);
  }

  #answer(response: number, request: number, route: number): void {
    const responses = this.#responses;
    const { slot, port, address } = this.#table;
    if (route < 0) {
      responses[response + RESPONSE.SLOT] = this.#tries(request) > 0 ? CONNECT_FAILED : NO_BACKEND;
      return;
    }
    responses[response + RESPONSE.SLOT] = slot[route] ?? 0;
    responses[response + RESPONSE.PORT] = port[route] ?? 0;
    const to = response + RESPONSE.ADDRESS;
    for (let word = 0; word < 4; word++) responses[to + word] = address[route * 4 + word] ?? 0;
  }
}
