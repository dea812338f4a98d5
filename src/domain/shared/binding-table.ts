/**
 * Affinity: which backend a client went to last. Set-associative, bounded, written by every worker without a lock.
 *
 *     entry:  TAG 32 hash bits │ VALUE 16 hash bits, slot + 1 │ EXPIRES seconds │ unused
 *
 * VALUE is what makes an entry exist: 0 in its low half is "empty". An insert over another client's entry empties VALUE,
 * writes TAG and EXPIRES, and sets VALUE last, so a process killed between any two stores leaves an empty entry or a whole
 * one. Two workers that take the same entry for different clients at once can leave one's TAG beside the other's VALUE;
 * the hash bits in VALUE then do not match, the entry is nobody's, and it ages out. No state needs repair, none blocks.
 * A lost binding costs its client a new choice, nothing else; so races are settled by forgetting.
 *
 * Seconds are CLOCK_MONOTONIC's, compared by the sign of their 32-bit difference: right across a wrap as long as a TTL is
 * below 2^31 seconds and sweep() clears what expired in less than that.
 */
import type { ClientKey } from './client-key.js';
import type { ControlRegion } from './control-region.js';
import { BINDING, BINDING_WAYS, BINDING_WORDS } from './layout.js';

const SET_WORDS = BINDING_WAYS * BINDING_WORDS;
const SLOT_MASK = 0xffff;

/** A binding as it was found. */
export interface Binding {
  /** Its place in its set. */
  readonly way: number;
  /** As in ClientKey. */
  readonly tag: number;
  readonly check: number;
  readonly slot: number;
  readonly secsLeft: number;
}

export class BindingTable {
  /** Sets of the table, for sweeping in slices. */
  readonly sets: number;
  readonly #words: Int32Array;
  readonly #start: number;

  constructor(region: ControlRegion) {
    this.#words = region.words;
    this.#start = region.offsets.bindings;
    this.sets = region.capacity.bindingSets;
  }

  /** The slot that this client is bound to, or -1. A binding found lives on for another TTL. */
  find(key: ClientKey, nowSecs: number, ttlSecs: number): number {
    const words = this.#words;
    const entry = this.#entryOf(key, nowSecs);
    if (entry < 0) return -1;
    // TAG was read before VALUE: whoever replaced the entry in between has emptied or replaced VALUE, and its check tells.
    const value = Atomics.load(words, entry + BINDING.VALUE);
    if (value >>> 16 !== key.check) return -1;
    const expires = (nowSecs + ttlSecs) | 0;
    // At most once a second per client, so that the line of a busy client stays shared between the workers' caches. Where
    // another client has taken the entry meanwhile, it gets an expiry like its own.
    if (Atomics.load(words, entry + BINDING.EXPIRES) !== expires)
      Atomics.store(words, entry + BINDING.EXPIRES, expires);
    return (value & SLOT_MASK) - 1;
  }

  /** Binds the client to a slot, in place of what it was bound to, else of an unused entry, else of the oldest. */
  insert(key: ClientKey, slot: number, nowSecs: number, ttlSecs: number): void {
    const words = this.#words;
    const value = (key.check << 16) | (slot + 1);
    const expires = (nowSecs + ttlSecs) | 0;
    const entry = this.#victimFor(key, nowSecs);
    if (!this.#isOf(key, entry)) {
      // Empty first: from here to the last store nobody finds anything in this entry.
      Atomics.store(words, entry + BINDING.VALUE, 0);
      Atomics.store(words, entry + BINDING.TAG, key.tag);
      // Before VALUE, so that the entry does not appear with its predecessor's age.
      Atomics.store(words, entry + BINDING.EXPIRES, expires);
      Atomics.store(words, entry + BINDING.VALUE, value);
      return;
    }
    // The same client: one store moves it. EXPIRES after it, or an expired binding to the old slot would live again.
    Atomics.store(words, entry + BINDING.VALUE, value);
    Atomics.store(words, entry + BINDING.EXPIRES, expires);
  }

  /** Forgets every binding to the slots whose byte is not 0. Nobody may insert such bindings any more. */
  purgeSlots(isPurged: Uint8Array): void {
    const end = this.#start + this.sets * SET_WORDS;
    for (let entry = this.#start; entry < end; entry += BINDING_WORDS) {
      const value = Atomics.load(this.#words, entry + BINDING.VALUE);
      const slot = (value & SLOT_MASK) - 1;
      // Exchanged, not stored: a binding that another worker put there after the load is kept.
      if (slot >= 0 && isPurged[slot] === 1) Atomics.compareExchange(this.#words, entry + BINDING.VALUE, value, 0);
    }
  }

  /** The client's binding, which does not live longer for it; null where there is none. */
  peek(key: ClientKey, nowSecs: number): Binding | null {
    const entry = this.#entryOf(key, nowSecs);
    const binding = entry < 0 ? null : this.#read(entry, nowSecs);
    return binding !== null && binding.tag === key.tag && binding.check === key.check ? binding : null;
  }

  /** Live bindings of a set from one way on, to that slot; -1 = to any. */
  inSet(set: number, fromWay: number, slot: number, nowSecs: number): Binding[] {
    const first = this.#start + set * SET_WORDS;
    const found: Binding[] = [];
    for (let entry = first + fromWay * BINDING_WORDS; entry < first + SET_WORDS; entry += BINDING_WORDS) {
      // Most are empty.
      if (((this.#words[entry + BINDING.VALUE] ?? 0) & SLOT_MASK) === 0) continue;
      const binding = this.#read(entry, nowSecs);
      if (binding !== null && (slot < 0 || binding.slot === slot)) found.push(binding);
    }
    return found;
  }

  /** Forgets the client's binding to that slot, -1 = to any; returns how many there were: 0, 1, or more by a race. */
  remove(key: ClientKey, slot: number): number {
    const first = this.#firstEntry(key);
    let removed = 0;
    for (let entry = first; entry < first + SET_WORDS; entry += BINDING_WORDS) {
      if (this.#isOf(key, entry) && this.#forget(entry, slot)) removed++;
    }
    return removed;
  }

  /** Forgets all to that slot, -1 = to any, from set `from` up to but without set `to`; returns how many there were. */
  removeAll(slot: number, from = 0, to = this.sets): number {
    const end = this.#start + Math.min(to, this.sets) * SET_WORDS;
    let removed = 0;
    for (let entry = this.#start + from * SET_WORDS; entry < end; entry += BINDING_WORDS) {
      if (this.#forget(entry, slot)) removed++;
    }
    return removed;
  }

  /** Clears expired bindings from set `from` up to but without set `to`; returns how many live ones it saw there. */
  sweep(nowSecs: number, from = 0, to = this.sets): number {
    const words = this.#words;
    const end = this.#start + Math.min(to, this.sets) * SET_WORDS;
    let live = 0;
    for (let entry = this.#start + from * SET_WORDS; entry < end; entry += BINDING_WORDS) {
      // VALUE before EXPIRES: an entry made anew in between has another VALUE, or loses a binding, never a wrong one.
      const value = Atomics.load(words, entry + BINDING.VALUE);
      if ((value & SLOT_MASK) === 0) continue;
      if (isLive(Atomics.load(words, entry + BINDING.EXPIRES), nowSecs)) live++;
      else Atomics.compareExchange(words, entry + BINDING.VALUE, value, 0);
    }
    return live;
  }

  /** VALUE before and after the rest: an entry that was made anew in between is left out. */
  #read(entry: number, nowSecs: number): Binding | null {
    const value = Atomics.load(this.#words, entry + BINDING.VALUE);
    const tag = Atomics.load(this.#words, entry + BINDING.TAG);
    const expires = Atomics.load(this.#words, entry + BINDING.EXPIRES);
    const slot = (value & SLOT_MASK) - 1;
    if (slot < 0 || !isLive(expires, nowSecs)) return null;
    if (Atomics.load(this.#words, entry + BINDING.VALUE) !== value) return null;
    const way = ((entry - this.#start) % SET_WORDS) / BINDING_WORDS;
    return { way, tag, check: value >>> 16, slot, secsLeft: (expires - nowSecs) | 0 };
  }

  /** Exchanged, not stored: a binding that a worker puts there meanwhile is kept. */
  #forget(entry: number, slot: number): boolean {
    const value = Atomics.load(this.#words, entry + BINDING.VALUE);
    const bound = (value & SLOT_MASK) - 1;
    if (bound < 0 || (slot >= 0 && slot !== bound)) return false;
    return Atomics.compareExchange(this.#words, entry + BINDING.VALUE, value, 0) === value;
  }

  /** The client's live entry, or -1. */
  #entryOf(key: ClientKey, nowSecs: number): number {
    const first = this.#firstEntry(key);
    for (let entry = first; entry < first + SET_WORDS; entry += BINDING_WORDS) {
      if (this.#isOf(key, entry) && isLive(this.#words[entry + BINDING.EXPIRES] ?? 0, nowSecs)) return entry;
    }
    return -1;
  }

  /** Where the client's binding goes: the first entry that is its own, so that find() sees it before any duplicate. */
  #victimFor(key: ClientKey, nowSecs: number): number {
    const words = this.#words;
    const first = this.#firstEntry(key);
    let victim = first;
    let leastSecsLeft = Infinity;
    for (let entry = first; entry < first + SET_WORDS; entry += BINDING_WORDS) {
      if (this.#isOf(key, entry)) return entry;
      const isEmpty = ((words[entry + BINDING.VALUE] ?? 0) & SLOT_MASK) === 0;
      // With one TTL for all, the first to expire is the one not used for longest; expired ones count as empty.
      const secsLeft = isEmpty ? 0 : Math.max(0, ((words[entry + BINDING.EXPIRES] ?? 0) - nowSecs) | 0);
      if (secsLeft < leastSecsLeft) {
        leastSecsLeft = secsLeft;
        victim = entry;
      }
    }
    return victim;
  }

  #isOf(key: ClientKey, entry: number): boolean {
    if (this.#words[entry + BINDING.TAG] !== key.tag) return false;
    const value = this.#words[entry + BINDING.VALUE] ?? 0;
    return value >>> 16 === key.check && (value & SLOT_MASK) !== 0;
  }

  #firstEntry(key: ClientKey): number {
    return this.#start + (key.set & (this.sets - 1)) * SET_WORDS;
  }
}

function isLive(expires: number, nowSecs: number): boolean {
  return ((expires - nowSecs) | 0) > 0;
}
