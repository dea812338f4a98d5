import { EdgeproxyError } from '../edgeproxy-error.js';
import { COUNTRIES } from '../shared/layout.js';
import {
  BITS_PER_STEP,
  GEO_HASH,
  GEO_HEADER,
  GEO_HEADER_WORDS,
  GEO_MAGIC,
  GEO_VERSION,
  geoRegionWords,
  leafRef,
  NO_COUNTRY,
  NO_COUNTRY_REF,
  NODE_WORDS,
} from './geo-layout.js';

const FIRST_SHIFT = 32 - BITS_PER_STEP;
const STEP_MASK = NODE_WORDS - 1;
const MAPPED_IPV4 = 0xffff;

/**
 * Read-only view of a geo region. A look-up allocates nothing, takes at most 32 steps and stays inside the region
 * whatever its nodes hold; only the header is trusted, once, after it has been checked.
 */
export class GeoTable {
  readonly #words: Int32Array;
  readonly #nodeCount: number;
  readonly #ipv4Root: number;
  readonly #ipv6Root: number;
  readonly #leaves: number;

  /**
   * Begins at byte `from` of the region, a whole word. A leaf is below `leaves`, or it counts as none. Throws EP_GEO_REGION
   * where the header is not that of a complete region of this build.
   */
  constructor(region: SharedArrayBuffer, from = 0, leaves = COUNTRIES) {
    this.#words = new Int32Array(region, from, Math.floor((region.byteLength - from) / Int32Array.BYTES_PER_ELEMENT));
    this.#leaves = leaves;
    this.#check(GEO_HEADER.MAGIC, GEO_MAGIC);
    this.#check(GEO_HEADER.VERSION, GEO_VERSION);
    this.#check(GEO_HEADER.HASH, GEO_HASH);
    this.#nodeCount = this.#header(GEO_HEADER.NODES);
    this.#check(GEO_HEADER.TOTAL_WORDS, geoRegionWords(this.#nodeCount));
    if (this.#nodeCount < 0 || geoRegionWords(this.#nodeCount) > this.#words.length) {
      throw regionError(
        `${this.#words.length} words`,
        `${GEO_HEADER_WORDS} and ${NODE_WORDS} for each of ${this.#nodeCount} nodes`,
      );
    }
    this.#ipv4Root = this.#header(GEO_HEADER.IPV4_ROOT);
    this.#ipv6Root = this.#header(GEO_HEADER.IPV6_ROOT);
  }

  /**
   * Country number of an address, or NO_COUNTRY. Takes the four words of the address, most significant first, signed
   * or unsigned; ::ffff:a.b.c.d is looked up as a.b.c.d.
   */
  countryOf(word0: number, word1: number, word2: number, word3: number): number {
    let ref: number;
    if (word0 === 0 && word1 === 0 && word2 === MAPPED_IPV4) {
      ref = this.#walk(this.#ipv4Root, word3);
    } else {
      ref = this.#walk(this.#ipv6Root, word0);
      if (ref >= 0) ref = this.#walk(ref, word1);
      if (ref >= 0) ref = this.#walk(ref, word2);
      if (ref >= 0) ref = this.#walk(ref, word3);
    }
    const country = leafRef(ref);
    return country >= 0 && country < this.#leaves ? country : NO_COUNTRY;
  }

  /** Where the 32 bits of one word lead from `ref`: a leaf, or the node that the next word starts from. */
  #walk(ref: number, word: number): number {
    for (let shift = FIRST_SHIFT; shift >= 0 && ref >= 0; shift -= BITS_PER_STEP) {
      if (ref >= this.#nodeCount) return NO_COUNTRY_REF;
      ref = this.#words[GEO_HEADER_WORDS + ref * NODE_WORDS + ((word >>> shift) & STEP_MASK)] ?? NO_COUNTRY_REF;
    }
    return ref;
  }

  #header(word: number): number {
    return this.#words[word] ?? 0;
  }

  #check(word: number, expected: number): void {
    const found = this.#words[word];
    if (found !== expected) throw regionError(`${found ?? 'nothing'} in header word ${word}`, String(expected));
  }
}

function regionError(found: string, expected: string): EdgeproxyError {
  return new EdgeproxyError('EP_GEO_REGION', `geo region: found ${found}; expected ${expected}`, {
    source: 'internal',
    context: { found, expected },
  });
}
