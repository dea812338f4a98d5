/**
 * Which Unix socket's path has which entry of the region. A routing table holds the number of an entry, not the path.
 *
 * An entry is written anew only when no worker can choose by a table that had its old path, and of those the one comes
 * first that has been out of use for longest. Whoever connects a moment after his choice, or keeps connections for clients
 * to come, may still be late: the entry's serial, which his address carries, then tells him so.
 */
import { unixPathOf } from '../unix-path.js';
import type { ControlRegion } from './control-region.js';
import { MAX_PATHS, PATH, PATH_LINES, UNIX_PORT, WORDS_PER_LINE } from './layout.js';
import { isForgotten } from './table-users.js';

/** What stands in a routing table: a port and the four words of an address. */
export interface Target {
  readonly port: number;
  readonly words: ArrayLike<number>;
}

interface Entry {
  readonly number: number;
  readonly serial: number;
  /** The first generation without the path, null while it is in the table. */
  retiredAt: number | null;
}

export class PathRegistry {
  readonly #region: ControlRegion;
  /** By path; those that are retired in the order of that. */
  readonly #entries = new Map<string, Entry>();
  #used = 0;
  #lastSerial = 0;

  constructor(region: ControlRegion) {
    this.#region = region;
  }

  /** Where clients are sent for that path; null where every entry is in use. */
  assign(path: string): Target | null {
    const entry = this.#entries.get(path) ?? this.#write(path);
    if (entry === null) return null;
    entry.retiredAt = null;
    return { port: UNIX_PORT, words: [0, entry.serial, 0, entry.number] };
  }

  /** Retires every path that no address names; `generation` is the published table that is the first without them. */
  retireAllBut(addresses: Iterable<string>, generation: number): void {
    const kept = new Set(Array.from(addresses, unixPathOf));
    for (const [path, entry] of this.#entries) {
      if (kept.has(path) || entry.retiredAt !== null) continue;
      entry.retiredAt = generation;
      // To the end: it is the last one to be written anew.
      this.#entries.delete(path);
      this.#entries.set(path, entry);
    }
  }

  /** Whether there is an entry for a path that has none. */
  hasRoom(): boolean {
    return this.#used < MAX_PATHS || this.#longestUnused() !== null;
  }

  #write(path: string): Entry | null {
    const number = this.#used < MAX_PATHS ? this.#used++ : this.#reuse();
    if (number === null) return null;
    // 0 is no serial.
    this.#lastSerial = (this.#lastSerial % 0x7fffffff) + 1;
    const entry: Entry = { number, serial: this.#lastSerial, retiredAt: null };
    this.#entries.set(path, entry);
    this.#store(entry, path);
    return entry;
  }

  #reuse(): number | null {
    const path = this.#longestUnused();
    const entry = path === null ? undefined : this.#entries.get(path);
    if (path === null || entry === undefined) return null;
    this.#entries.delete(path);
    return entry.number;
  }

  #longestUnused(): string | null {
    for (const [path, { retiredAt }] of this.#entries) {
      if (retiredAt !== null) return isForgotten(this.#region, retiredAt) ? path : null;
    }
    return null;
  }

  #store({ number, serial }: Entry, path: string): void {
    const { words, offsets } = this.#region;
    const at = offsets.paths + number * PATH_LINES * WORDS_PER_LINE;
    const packed = packBytes(new TextEncoder().encode(path), PATH_LINES * WORDS_PER_LINE - PATH.BYTES);
    // Before the first byte: whoever finds any of the new ones finds his serial gone.
    Atomics.store(words, at + PATH.SERIAL, 0);
    for (const [index, word] of packed.entries()) Atomics.store(words, at + PATH.BYTES + index, word);
    // After the last: whoever finds it finds all of them. It is published with a table after this.
    Atomics.store(words, at + PATH.SERIAL, serial);
  }
}

/** Four to a word, the first in the lowest bits; the rest 0. */
function packBytes(bytes: Uint8Array, length: number): Int32Array {
  const words = new Int32Array(length);
  for (const [index, byte] of bytes.entries()) {
    words[index >> 2] = (words[index >> 2] ?? 0) | (byte << ((index & 3) * 8));
  }
  return words;
}
