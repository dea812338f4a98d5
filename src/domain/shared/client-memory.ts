/**
 * What a proxy remembers of its clients, carried from the region of an older version into that of a newer one which nobody
 * uses yet: bindings and rate limits. Both regions must hash with the same seeds.
 *
 * The older version goes on writing meanwhile. What is copied from an entry in the middle of a change fails the entry's
 * own check later, as it would there: it is forgotten.
 */
import type { ControlRegion } from './control-region.js';
import { BINDING, BINDING_WAYS, BINDING_WORDS, RATE_WAYS, RATE_WORDS } from './layout.js';

const SET_WORDS = BINDING_WAYS * BINDING_WORDS;
const SLOT_MASK = 0xffff;

/** Whether entries can be placed: their hash is known as far as the older table needed it. */
export function canCarry(from: ControlRegion, bindingSets: number): boolean {
  return bindingSets <= from.capacity.bindingSets;
}

/**
 * Fills the bindings of `to`; `slotOf` says which slot there a slot of `from` has become, -1 where its backend is gone.
 * Returns how many were carried.
 */
export function carryBindings(from: ControlRegion, to: ControlRegion, slotOf: Int32Array, nowSecs: number): number {
  const { bindings: source } = from.offsets;
  const { bindings: target } = to.offsets;
  const setMask = to.capacity.bindingSets - 1;
  to.words.fill(0, target, target + to.capacity.bindingSets * SET_WORDS);
  let carried = 0;
  for (let set = 0; set < from.capacity.bindingSets; set++) {
    for (let way = 0; way < BINDING_WAYS; way++) {
      const entry = source + set * SET_WORDS + way * BINDING_WORDS;
      // VALUE first: where TAG is of a client that came later, the hash bits in VALUE are not.
      const value = Atomics.load(from.words, entry + BINDING.VALUE);
      const slot = slotOf[(value & SLOT_MASK) - 1] ?? -1;
      const expires = Atomics.load(from.words, entry + BINDING.EXPIRES);
      if (slot < 0 || ((expires - nowSecs) | 0) <= 0) continue;
      const place = placeIn(to.words, target + (set & setMask) * SET_WORDS, expires);
      if (place < 0) continue;
      to.words[place + BINDING.TAG] = Atomics.load(from.words, entry + BINDING.TAG);
      to.words[place + BINDING.EXPIRES] = expires;
      to.words[place + BINDING.VALUE] = (value & ~SLOT_MASK) | (slot + 1);
      carried++;
    }
  }
  return carried;
}

/** Copies the rate limiter's buckets, where there are as many. */
export function carryRates(from: ControlRegion, to: ControlRegion): void {
  if (from.capacity.rateSets !== to.capacity.rateSets) return;
  const words = from.capacity.rateSets * RATE_WAYS * RATE_WORDS;
  to.words.set(from.words.subarray(from.offsets.rates, from.offsets.rates + words), to.offsets.rates);
}

/** An empty entry of the set, else the one that expires first if that is before `expires`, else -1. */
function placeIn(words: Int32Array, firstEntry: number, expires: number): number {
  let place = -1;
  let earliest = expires;
  for (let entry = firstEntry; entry < firstEntry + SET_WORDS; entry += BINDING_WORDS) {
    if (words[entry + BINDING.VALUE] === 0) return entry;
    const other = words[entry + BINDING.EXPIRES] ?? 0;
    if (((other - earliest) | 0) >= 0) continue;
    earliest = other;
    place = entry;
  }
  return place;
}
