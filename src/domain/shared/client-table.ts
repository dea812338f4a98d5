/**
 * How many connections each client address has, over all workers. Set-associative, bounded, without a lock.
 *
 *     entry:  TAG 32 hash bits, 0 = never used │ connections at worker 0 │ at worker 1 │ …
 *
 * A worker writes its own word alone (route() raises it, the relay lowers it), and the sum over the workers is the count:
 * when one dies, its column is cleared, and what it held is given back. A client's word is raised before the sum is
 * looked at, so two workers cannot both take the last place; both may be refused it.
 *
 * An entry without connections is anybody's. Two races are left, each needs three parties within some nanoseconds: a
 * connection may be counted for the client that the entry was given to. It is still lowered where it was raised, so
 * nothing is lost and nothing stays.
 */
import type { ClientKey } from './client-key.js';
import type { ControlRegion } from './control-region.js';
import { CLIENT, CLIENT_WAYS } from './layout.js';

/** The client has all the connections that it may have. */
export const OVER_LIMIT = -1;
/** The set is full of clients with connections: this one is not counted. */
export const UNTRACKED = 0;
/** Each failed turn is a change by another worker. */
const MAX_TURNS = 16;

export class ClientTable {
  readonly entries: number;
  readonly #words: Int32Array;
  readonly #start: number;
  readonly #sets: number;
  readonly #workers: number;
  readonly #entryWords: number;

  constructor(region: ControlRegion) {
    const { clientSets, workers } = region.capacity;
    this.#words = region.words;
    this.#start = region.offsets.clients;
    this.#sets = clientSets;
    this.#workers = workers;
    this.#entryWords = CLIENT.SHARES + workers;
    this.entries = clientSets * CLIENT_WAYS;
  }

  /**
   * Counts another connection of the client at `worker`. Returns the word that was raised, to be lowered when the
   * connection ends; OVER_LIMIT or UNTRACKED where none was. Allocates nothing.
   */
  raise(key: ClientKey, worker: number, limit: number): number {
    const words = this.#words;
    const tag = tagOf(key);
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      const entry = this.#entryOf(key, tag);
      if (entry < 0) return UNTRACKED;
      const own = entry + CLIENT.SHARES + worker;
      // Before TAG and the sum are looked at: whoever takes entries without connections now finds one in this.
      Atomics.add(words, own, 1);
      if (Atomics.load(words, entry + CLIENT.TAG) === tag) {
        if (this.#sumOf(key, tag) <= limit) return own;
        Atomics.sub(words, own, 1);
        return OVER_LIMIT;
      }
      Atomics.sub(words, own, 1);
    }
    return UNTRACKED;
  }

  /** Connections of the client, over all workers. */
  count(key: ClientKey): number {
    return this.#sumOf(key, tagOf(key));
  }

  /** Forgets what a dead worker held in the entries `from` up to but without `to`. */
  clearWorker(worker: number, from = 0, to = this.entries): void {
    const end = this.#start + Math.min(to, this.entries) * this.#entryWords;
    const first = this.#start + from * this.#entryWords;
    for (let own = first + CLIENT.SHARES + worker; own < end; own += this.#entryWords) {
      // Its owner is dead and it has no successor yet: nobody else writes this word.
      if (this.#words[own] !== 0) Atomics.store(this.#words, own, 0);
    }
  }

  /** The client's first entry, made where it has none; -1 where there is no room. */
  #entryOf(key: ClientKey, tag: number): number {
    const words = this.#words;
    const first = this.#firstOf(key);
    const end = first + CLIENT_WAYS * this.#entryWords;
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      for (let entry = first; entry < end; entry += this.#entryWords) if (words[entry] === tag) return entry;
      const free = this.#freeEntry(first, end);
      if (free < 0) return -1;
      const owner = Atomics.load(words, free);
      // Exchanged, not stored: another worker may have taken it for somebody else since it was found free.
      if (Atomics.compareExchange(words, free, owner, tag) !== owner || this.#sharesOf(free) === 0) continue;
      // Its owner came back in that instant: it is his.
      if (owner !== tag) Atomics.compareExchange(words, free, tag, owner);
    }
    return -1;
  }

  #freeEntry(first: number, end: number): number {
    for (let entry = first; entry < end; entry += this.#entryWords) if (this.#sharesOf(entry) === 0) return entry;
    return -1;
  }

  /** Over every entry with this tag: two workers that each made one for a new client count together. */
  #sumOf(key: ClientKey, tag: number): number {
    const first = this.#firstOf(key);
    const end = first + CLIENT_WAYS * this.#entryWords;
    let sum = 0;
    for (let entry = first; entry < end; entry += this.#entryWords) {
      if (this.#words[entry] === tag) sum += this.#sharesOf(entry);
    }
    return sum;
  }

  #sharesOf(entry: number): number {
    const words = this.#words;
    const end = entry + CLIENT.SHARES + this.#workers;
    let sum = 0;
    // Loaded in order after this worker's own add: of two that take the last place at once, at least one sees the other.
    for (let word = entry + CLIENT.SHARES; word < end; word++) sum += Atomics.load(words, word);
    return sum;
  }

  #firstOf(key: ClientKey): number {
    return this.#start + (key.set & (this.#sets - 1)) * CLIENT_WAYS * this.#entryWords;
  }
}

/** 0 is nobody's. */
function tagOf(key: ClientKey): number {
  return key.tag === 0 ? 1 : key.tag;
}
