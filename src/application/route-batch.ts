/**
 * The decision for each new connection of a worker: its binding where that still holds, else the router of the first rule
 * that matches, else the geo score; a place reserved at once; the binding made. Called by the relay once per batch,
 * between two reads of its sockets.
 *
 * Nothing on this path allocates, waits or throws: what cannot be routed is answered with a reason.
 */
import { type AdmissionSettings, Admission, ADMITTED } from '../domain/admission/admission.js';
import type { AccessLists } from '../domain/admission/access-lists.js';
import type { RulesTable } from '../domain/rules/rules-table.js';
import { ClientCountry } from '../domain/routing/client-country.js';
import type { CountryLookup } from '../domain/routing/country-lookup.js';
import { GeoScore } from '../domain/routing/geo-score.js';
import { Xorshift128 } from '../domain/routing/xorshift128.js';
import { Affinity } from '../domain/shared/affinity.js';
import { BackendPlaces } from '../domain/shared/backend-places.js';
import type { ControlRegion, Seeds } from '../domain/shared/control-region.js';
import {
  ADMITTED_SLOT,
  CLOCK,
  MAX_TRIES,
  REQUEST,
  REQUEST_FLAG,
  REQUEST_WORDS,
  RESPONSE,
  RESPONSE_FLAG,
  RESPONSE_WORDS,
} from '../domain/shared/batch-layout.js';
import { refusal } from '../domain/shared/refusal.js';
import type { RouteTable } from '../domain/shared/route-table.js';
import { RoutesReader } from '../domain/shared/routes-reader.js';
import { StateOverlay } from '../domain/shared/state-overlay.js';
import { type RoutedRule, RuleRouting } from './rule-routing.js';

/**
 * Choices per request. One is lost only where another worker takes the last place of the chosen backend between the look
 * at its `active` and the reservation, or its last trial, or opens its breaker; the next choice then sees it full.
 */
const MAX_CHOICES = 16;
/** The pool of those that no rule is for. */
const WHOLE_DATABASE = 0;
const NO_BACKEND = refusal('no_backend');
const CONNECT_FAILED = refusal('connect_failed');

/** What of a batch can change while the worker runs. */
export interface RouteSettings {
  /** 0 turns affinity off. */
  readonly bindingTtlSecs: number;
  readonly admission: AdmissionSettings;
}

/** Who may turn new clients away before anything is chosen for them. */
export interface Gate {
  /** The answer to `clients` new ones in RESPONSE.SLOT, or 0 where they are welcome. `nowMicros` is CLOCK.MICROS. */
  refusal(nowMicros: number, clients: number): number;
}

export interface RouteBatchOptions extends RouteSettings {
  readonly region: ControlRegion;
  readonly worker: number;
  /** The arrays shared with the relay, see REQUEST, RESPONSE and CLOCK. */
  readonly requests: Int32Array;
  readonly responses: Int32Array;
  readonly names: Uint8Array;
  readonly clock: Int32Array;
  /** Randomness for ties, another for each worker. */
  readonly seeds: Seeds;
}

export class RouteBatch {
  readonly #requests: Int32Array;
  readonly #responses: Int32Array;
  readonly #clock: Int32Array;
  readonly #capacity: number;
  readonly #reader: RoutesReader;
  readonly #table: RouteTable;
  readonly #score: GeoScore;
  readonly #affinity: Affinity;
  readonly #places: BackendPlaces;
  readonly #overlay: StateOverlay;
  readonly #rules: RuleRouting;
  readonly #country = new ClientCountry();
  readonly #admission: Admission;
  #gate: Gate | null = null;
  /** RoutedRule.flags of the rule that the request at hand is for, 0 = none. */
  #ruleFlags = 0;

  constructor(options: RouteBatchOptions) {
    const { region, worker, requests, responses, names, clock, seeds } = options;
    this.#requests = requests;
    this.#responses = responses;
    this.#clock = clock;
    this.#capacity = Math.floor(Math.min(requests.length / REQUEST_WORDS, responses.length / RESPONSE_WORDS));
    this.#reader = new RoutesReader(region, worker);
    this.#table = this.#reader.table;
    const random = new Xorshift128(seeds);
    this.#score = new GeoScore(region.words, this.#table, random, requests);
    this.#affinity = new Affinity(region);
    this.#overlay = new StateOverlay(region, this.#table);
    this.#places = new BackendPlaces(region, worker, this.#table, this.#overlay);
    const countryOf = (request: number): number => this.#countryOf(request);
    const shared = { region, table: this.#table, overlay: this.#overlay };
    this.#rules = new RuleRouting({ ...shared, requests, names, countryOf, random });
    this.#admission = new Admission(region, worker, this.#country);
    this.configure(options);
  }

  /** Takes other settings from the next batch on. */
  configure({ bindingTtlSecs, admission }: RouteSettings): void {
    this.#affinity.configure(bindingTtlSecs);
    this.#admission.configure(admission);
  }

  /** Takes another geo database from the next batch on; with null every client is of no country. */
  useCountries(countries: CountryLookup | null): void {
    this.#country.use(countries);
  }

  /** Takes other lists of addresses and countries from the next batch on; null = none. */
  useLists(lists: AccessLists | null): void {
    this.#admission.useLists(lists);
  }

  /** The rule of a label in RESPONSE.FLAGS; '' of 0. */
  ruleName(label: number): string {
    return this.#rules.nameOf(label);
  }

  /** Takes other rules from the next batch on; null = none. */
  useRules(rules: RulesTable | null): void {
    this.#rules.use(rules);
  }

  /** Has new clients asked for at this gate from the next batch on. */
  useGate(gate: Gate): void {
    this.#gate = gate;
  }

  /** Answers the first `count` requests. */
  route(count: number): void {
    const nowSecs = this.#clock[CLOCK.SECS] ?? 0;
    const end = Math.min(count, this.#capacity);
    const nowMicros = this.#clock[CLOCK.MICROS] ?? 0;
    const shed = this.#gate?.refusal(nowMicros, end) ?? ADMITTED;
    this.#admission.enter(nowSecs, nowMicros);
    this.#reader.enter();
    this.#overlay.refresh();
    for (let index = 0; index < end; index++) {
      const request = index * REQUEST_WORDS;
      const response = index * RESPONSE_WORDS;
      this.#country.next();
      const admitted = this.#admit(request, response, shed);
      if (admitted !== ADMITTED) this.#responses[response + RESPONSE.SLOT] = admitted;
      else if (this.#hasFlag(request, REQUEST_FLAG.ADMIT)) this.#responses[response + RESPONSE.SLOT] = ADMITTED_SLOT;
      else this.#answer(response, request, this.#decideAnew(request, nowSecs));
    }
    this.#reader.leave();
  }

  /** ADMITTED or the answer of a refusal; who was let in once is not asked again when its connect has failed. */
  #admit(request: number, response: number, shed: number): number {
    const responses = this.#responses;
    responses[response + RESPONSE.CLIENT] = 0;
    responses[response + RESPONSE.FLAGS] = 0;
    if (this.#hasFlag(request, REQUEST_FLAG.ADMITTED)) return ADMITTED;
    if (this.#tries(request) > 0 && !this.#hasFlag(request, REQUEST_FLAG.ANEW)) return ADMITTED;
    if (shed !== ADMITTED || !this.#admission.isOn) return shed;
    const requests = this.#requests;
    const at = request + REQUEST.ADDRESS;
    const admitted = this.#admission.admit(
      requests[at] ?? 0,
      requests[at + 1] ?? 0,
      requests[at + 2] ?? 0,
      requests[at + 3] ?? 0,
    );
    responses[response + RESPONSE.CLIENT] = this.#admission.clientWord;
    return admitted;
  }

  /** As #decide; who comes anew goes back to where it failed only if there is nobody else. */
  #decideAnew(request: number, nowSecs: number): number {
    const route = this.#decide(request, nowSecs);
    if (route >= 0 || !this.#hasFlag(request, REQUEST_FLAG.ANEW)) return route;
    this.#requests[request + REQUEST.TRIES] = 0;
    return this.#decide(request, nowSecs);
  }

  #hasFlag(request: number, flag: number): boolean {
    return ((this.#requests[request + REQUEST.FLAGS] ?? 0) & flag) !== 0;
  }

  /** The route that a place is now reserved on, or -1. */
  #decide(request: number, nowSecs: number): number {
    const triedFrom = request + REQUEST.TRIED_SLOTS;
    const triedTo = triedFrom + this.#tries(request);
    this.#ruleFlags = 0;
    if (!this.#rules.isEmpty) {
      // Its own rules are on their way: better nobody than a backend that they would not have given.
      if (this.#rules.isUnknown(request)) return -1;
      const rule = this.#rules.ruleFor(request);
      if (rule !== null) return this.#decideByRule(rule, request, nowSecs, triedFrom, triedTo);
    }
    if (!this.#affinity.isOn) return this.#chooseAndReserve(request, triedFrom, triedTo);
    this.#useClient(request, WHOLE_DATABASE);
    const slot = this.#affinity.find(nowSecs);
    const bound = slot < 0 ? -1 : (this.#table.routeOfSlot[slot] ?? -1);
    if (bound >= 0 && this.#reserveBound(bound, WHOLE_DATABASE, triedFrom, triedTo)) return bound;
    const route = this.#chooseAndReserve(request, triedFrom, triedTo);
    if (route >= 0) this.#affinity.bind(this.#table.slot[route] ?? 0, nowSecs);
    return route;
  }

  #decideByRule(rule: RoutedRule, request: number, nowSecs: number, triedFrom: number, triedTo: number): number {
    const route = this.#routeByRule(rule, request, nowSecs, triedFrom, triedTo);
    // A connection counts once as having got a backend, however many it tries; one that comes anew is another one, and not
    // without a backend before #decideAnew has asked a second time.
    const isFirst = triedFrom === triedTo;
    const isAnew = this.#hasFlag(request, REQUEST_FLAG.ANEW);
    if (isFirst || isAnew === route >= 0) this.#rules.count(rule, route >= 0);
    return route;
  }

  #routeByRule(rule: RoutedRule, request: number, nowSecs: number, triedFrom: number, triedTo: number): number {
    const { pool } = rule;
    this.#ruleFlags = rule.flags;
    if (!rule.hasAffinity || !this.#affinity.isOn) return this.#chooseByRule(rule, request, triedFrom, triedTo);
    this.#useClient(request, pool);
    const slot = this.#affinity.find(nowSecs);
    const bound = slot < 0 ? -1 : this.#table.routeInPool(slot, pool);
    if (bound >= 0 && this.#reserveBound(bound, pool, triedFrom, triedTo)) return bound;
    const route = this.#chooseByRule(rule, request, triedFrom, triedTo);
    if (route >= 0) this.#affinity.bind(this.#table.slot[route] ?? 0, nowSecs);
    return route;
  }

  #chooseByRule({ router, pool }: RoutedRule, request: number, triedFrom: number, triedTo: number): number {
    for (let choices = 0; choices < MAX_CHOICES; choices++) {
      // Also within a batch: a breaker that refused the last choice has the states looked at anew.
      this.#rules.refresh();
      for (let at = triedFrom; at < triedTo; at++) this.#table.close(this.#requests[at] ?? -1);
      const route = router.choose(request);
      for (let at = triedFrom; at < triedTo; at++) this.#table.reopen(this.#requests[at] ?? -1);
      if (route < 0) return -1;
      if (this.#places.reserve(route, pool)) return route;
    }
    return -1;
  }

  #tries(request: number): number {
    return Math.min(Math.max(this.#requests[request + REQUEST.TRIES] ?? 0, 0), MAX_TRIES);
  }

  #reserveBound(route: number, pool: number, triedFrom: number, triedTo: number): boolean {
    const slot = this.#table.slot[route] ?? 0;
    for (let at = triedFrom; at < triedTo; at++) if (this.#requests[at] === slot) return false;
    return this.#places.reserve(route, pool);
  }

  #chooseAndReserve(request: number, triedFrom: number, triedTo: number): number {
    const country = this.#countryOf(request);
    for (let choices = 0; choices < MAX_CHOICES; choices++) {
      const route = this.#score.choose(country, triedFrom, triedTo);
      if (route < 0) return -1;
      if (this.#places.reserve(route, WHOLE_DATABASE)) return route;
    }
    return -1;
  }

  #countryOf(request: number): number {
    const requests = this.#requests;
    const at = request + REQUEST.ADDRESS;
    return this.#country.of(requests[at] ?? 0, requests[at + 1] ?? 0, requests[at + 2] ?? 0, requests[at + 3] ?? 0);
  }

  #useClient(request: number, pool: number): void {
    const requests = this.#requests;
    const listener = requests[request + REQUEST.LISTENER] ?? 0;
    const at = request + REQUEST.ADDRESS;
    this.#affinity.use(
      listener,
      pool,
      requests[at] ?? 0,
      requests[at + 1] ?? 0,
      requests[at + 2] ?? 0,
      requests[at + 3] ?? 0,
    );
  }

  #answer(response: number, request: number, route: number): void {
    const responses = this.#responses;
    responses[response + RESPONSE.FLAGS] = this.#ruleFlags;
    if (route < 0) {
      responses[response + RESPONSE.SLOT] = this.#tries(request) > 0 ? CONNECT_FAILED : NO_BACKEND;
      return;
    }
    const { slot, port, address } = this.#table;
    responses[response + RESPONSE.SLOT] = slot[route] ?? 0;
    if (this.#places.isTrial) responses[response + RESPONSE.FLAGS] = this.#ruleFlags | RESPONSE_FLAG.TRIAL;
    responses[response + RESPONSE.PORT] = port[route] ?? 0;
    const to = response + RESPONSE.ADDRESS;
    for (let word = 0; word < 4; word++) responses[to + word] = address[route * 4 + word] ?? 0;
  }
}
