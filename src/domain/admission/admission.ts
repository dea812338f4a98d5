/**
 * Who may come in: asked once for each new client, before a backend is chosen for it. Address lists go first, then the
 * countries, the rate, and the connections that the client already has: a client that is refused by an earlier question
 * costs nothing at a later one. What is switched off costs one comparison.
 */
import type { ClientCountry } from '../routing/client-country.js';
import { ANY_LISTENER, ClientKey } from '../shared/client-key.js';
import { ClientTable, OVER_LIMIT, UNTRACKED } from '../shared/client-table.js';
import type { ControlRegion } from '../shared/control-region.js';
import { WORKER } from '../shared/layout.js';
import { RateTable } from '../shared/rate-table.js';
import { refusal } from '../shared/refusal.js';
import { type AccessLists, LISTED } from './access-lists.js';
import { type RateLimit, RateRule } from './rate-rule.js';

export interface AdmissionSettings {
  /** 0 = off. */
  readonly maxConnectionsPerIp: number;
  /** null = off. */
  readonly rateLimit: RateLimit | null;
}

/** The answer to a client that may come in; another answer is the one that route() gives for the reason. */
export const ADMITTED = 0;
const ADDRESS_DENIED = refusal('address_denied');
const COUNTRY_DENIED = refusal('country_denied');
const RATE_LIMITED = refusal('rate_limited');
const TOO_MANY_PER_IP = refusal('too_many_per_ip');

export class Admission {
  /** Whether anything is switched on. */
  isOn = false;
  /** The word that counts the client admitted last, 0 = none; see RESPONSE.CLIENT. */
  clientWord = 0;
  readonly #words: Int32Array;
  readonly #worker: number;
  readonly #blockAt: number;
  readonly #key: ClientKey;
  readonly #rates: RateTable;
  readonly #clients: ClientTable;
  readonly #country: ClientCountry;
  #lists: AccessLists | null = null;
  #rule: RateRule | null = null;
  #maxPerClient = 0;
  #nowTicks = 0;

  /** `country` is asked only where a list of countries needs it. */
  constructor(region: ControlRegion, worker: number, country: ClientCountry) {
    this.#country = country;
    this.#words = region.words;
    this.#worker = worker;
    this.#blockAt = region.workerAt(worker);
    this.#key = new ClientKey(region.seeds());
    this.#rates = new RateTable(region);
    this.#clients = new ClientTable(region);
  }

  configure({ maxConnectionsPerIp, rateLimit }: AdmissionSettings): void {
    this.#maxPerClient = maxConnectionsPerIp;
    this.#rule = rateLimit === null ? null : new RateRule(rateLimit);
    // Before the first connection is counted, so that the primary looks for what this worker leaves behind.
    if (maxConnectionsPerIp > 0) Atomics.store(this.#words, this.#blockAt + WORKER.TRACKS_CLIENTS, 1);
    this.#note();
  }

  /** null = no lists. */
  useLists(lists: AccessLists | null): void {
    this.#lists = lists !== null && lists.isEmpty ? null : lists;
    this.#note();
  }

  /** Takes the time of a batch, see CLOCK. */
  enter(secs: number, micros: number): void {
    if (this.#rule !== null) this.#nowTicks = this.#rule.ticksAt(secs, micros);
  }

  /** ADMITTED, or -1 - index into REJECT_REASONS. Takes the words of the address as the batch holds them. */
  admit(w0: number, w1: number, w2: number, w3: number): number {
    this.clientWord = 0;
    const listed = this.#lists === null ? ADMITTED : this.#ask(this.#lists, w0, w1, w2, w3);
    if (listed !== ADMITTED) return listed;
    if (this.#rule === null && this.#maxPerClient === 0) return ADMITTED;
    this.#key.assign(ANY_LISTENER, w0, w1, w2, w3);
    if (this.#rule !== null && !this.#rates.take(this.#key, this.#rule, this.#nowTicks)) return RATE_LIMITED;
    return this.#maxPerClient === 0 ? ADMITTED : this.#count();
  }

  #ask(lists: AccessLists, w0: number, w1: number, w2: number, w3: number): number {
    const verdict = lists.addressVerdict(w0, w1, w2, w3);
    if (verdict === LISTED.DENIED) return ADDRESS_DENIED;
    if (verdict === LISTED.ALLOWED || !lists.asksCountry) return ADMITTED;
    return lists.refusesCountry(this.#country.of(w0, w1, w2, w3)) ? COUNTRY_DENIED : ADMITTED;
  }

  #count(): number {
    const word = this.#clients.raise(this.#key, this.#worker, this.#maxPerClient);
    if (word === OVER_LIMIT) return TOO_MANY_PER_IP;
    // Only this worker writes it; the primary tells of it.
    if (word === UNTRACKED) Atomics.add(this.#words, this.#blockAt + WORKER.UNTRACKED, 1);
    this.clientWord = word;
    return ADMITTED;
  }

  #note(): void {
    this.isOn = this.#lists !== null || this.#rule !== null || this.#maxPerClient > 0;
  }
}
