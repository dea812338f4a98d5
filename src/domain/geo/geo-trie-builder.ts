/**
 * Builds a geo region bottom-up from a binary trie: pair() makes a binary node of two references (of leaves, or of what
 * pair() returned), finish() regroups the binary nodes four levels at a time and writes the region.
 *
 * Equal nodes are made once (hash-consing): a country database repeats the same few patterns of neighbours, and a third
 * of its nodes remain. So a subtree that the source shares stays shared, too.
 */
import { EdgeproxyError } from '../edgeproxy-error.js';
import {
  BITS_PER_STEP,
  DATABASE_TYPE_BYTES,
  GEO_HASH,
  GEO_HEADER,
  GEO_HEADER_WORDS,
  GEO_MAGIC,
  GEO_VERSION,
  geoRegionWords,
  NO_COUNTRY_REF,
  NODE_WORDS,
} from './geo-layout.js';

const EMPTY = -1;
const FIRST_CAPACITY = 1 << 12;

export interface GeoTrieSummary {
  readonly networks: number;
  /** Seconds since 1970. */
  readonly buildEpochSecs: number;
  /** UTF-8; cut where it is longer than DATABASE_TYPE_BYTES. */
  readonly databaseType: Uint8Array;
}

export class GeoTrieBuilder {
  /** References of binary node i at 2i (bit 0) and 2i + 1 (bit 1). */
  #pairs = new Int32Array(2 * FIRST_CAPACITY);
  #count = 0;
  /** Open addressing: a slot holds the index of a binary node; at most half of the slots are taken. */
  #slots = new Int32Array(2 * FIRST_CAPACITY).fill(EMPTY);
  readonly #maxRegionBytes: number;

  constructor(maxRegionBytes: number) {
    this.#maxRegionBytes = maxRegionBytes;
  }

  /** Reference of the binary node with these two halves; of two equal leaves it is the leaf. */
  pair(left: number, right: number): number {
    if (left === right && left < 0) return left;
    const slot = this.#slotOf(left, right);
    const known = this.#slots[slot] ?? EMPTY;
    if (known !== EMPTY) return known;
    const node = this.#count++;
    this.#pairs[2 * node] = left;
    this.#pairs[2 * node + 1] = right;
    this.#slots[slot] = node;
    if (2 * this.#count === this.#pairs.length) this.#grow();
    return node;
  }

  /** The trie under `root` without a country for the addresses that start with these bits. */
  without(root: number, prefix: readonly number[]): number {
    const siblings: number[] = [];
    let ref = root;
    for (const bit of prefix) {
      const half = (side: number): number => (ref < 0 ? ref : (this.#pairs[2 * ref + side] ?? EMPTY));
      siblings.push(half(1 - bit));
      ref = half(bit);
    }
    return prefix.reduceRight((changed, bit, depth) => {
      const sibling = siblings[depth] ?? EMPTY;
      return bit === 0 ? this.pair(changed, sibling) : this.pair(sibling, changed);
    }, NO_COUNTRY_REF);
  }

  /** The finished region. Throws EP_GEO_TOO_LARGE where it would be larger than allowed. */
  finish(ipv4Root: number, ipv6Root: number, summary: GeoTrieSummary): SharedArrayBuffer {
    const layout = this.#numberNodes([ipv4Root, ipv6Root]);
    const region = new SharedArrayBuffer(geoRegionWords(layout.count) * Int32Array.BYTES_PER_ELEMENT);
    const words = new Int32Array(region);
    const refOf = (ref: number): number => (ref < 0 ? ref : (layout.numbers[ref] ?? EMPTY));
    words[GEO_HEADER.MAGIC] = GEO_MAGIC;
    words[GEO_HEADER.VERSION] = GEO_VERSION;
    words[GEO_HEADER.HASH] = GEO_HASH;
    words[GEO_HEADER.TOTAL_WORDS] = words.length;
    words[GEO_HEADER.NODES] = layout.count;
    words[GEO_HEADER.IPV4_ROOT] = refOf(ipv4Root);
    words[GEO_HEADER.IPV6_ROOT] = refOf(ipv6Root);
    words[GEO_HEADER.NETWORKS] = summary.networks;
    words[GEO_HEADER.BUILD_EPOCH] = summary.buildEpochSecs;
    const typeAt = GEO_HEADER.DATABASE_TYPE * Int32Array.BYTES_PER_ELEMENT;
    new Uint8Array(region, typeAt, DATABASE_TYPE_BYTES).set(summary.databaseType.subarray(0, DATABASE_TYPE_BYTES));
    for (let number = 0; number < layout.count; number++) {
      const at = GEO_HEADER_WORDS + number * NODE_WORDS;
      const node = layout.order[number] ?? 0;
      for (let bits = 0; bits < NODE_WORDS; bits++) words[at + bits] = refOf(this.#descend(node, bits));
    }
    return region;
  }

  /** Numbers, breadth first, the binary nodes that are reached in whole steps: those become nodes of the region. */
  #numberNodes(roots: readonly number[]): { count: number; order: Int32Array; numbers: Int32Array } {
    const order = new Int32Array(this.#count);
    const numbers = new Int32Array(this.#count).fill(EMPTY);
    let count = 0;
    const reach = (ref: number): void => {
      if (ref < 0 || numbers[ref] !== EMPTY) return;
      numbers[ref] = count;
      order[count++] = ref;
    };
    roots.forEach(reach);
    for (let next = 0; next < count; next++) {
      const node = order[next] ?? 0;
      for (let bits = 0; bits < NODE_WORDS; bits++) reach(this.#descend(node, bits));
    }
    const bytes = geoRegionWords(count) * Int32Array.BYTES_PER_ELEMENT;
    if (bytes > this.#maxRegionBytes) {
      throw new EdgeproxyError(
        'EP_GEO_TOO_LARGE',
        `geo region: ${bytes} bytes; at most ${this.#maxRegionBytes} are allowed`,
        {
          source: 'config',
          context: { bytes, maxRegionBytes: this.#maxRegionBytes },
        },
      );
    }
    return { count, order, numbers };
  }

  #descend(ref: number, bits: number): number {
    for (let shift = BITS_PER_STEP - 1; shift >= 0 && ref >= 0; shift--)
      ref = this.#pairs[2 * ref + ((bits >>> shift) & 1)] ?? EMPTY;
    return ref;
  }

  /** The slot that holds this pair, or the free one where it belongs. */
  #slotOf(left: number, right: number): number {
    const mask = this.#slots.length - 1;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    for (let slot = (hash ^ (hash >>> 13)) & mask; ; slot = (slot + 1) & mask) {
      const node = this.#slots[slot] ?? EMPTY;
      if (node === EMPTY || (this.#pairs[2 * node] === left && this.#pairs[2 * node + 1] === right)) return slot;
    }
  }

  #grow(): void {
    const pairs = this.#pairs;
    this.#pairs = new Int32Array(2 * pairs.length);
    this.#pairs.set(pairs);
    this.#slots = new Int32Array(2 * this.#slots.length).fill(EMPTY);
    for (let node = 0; node < this.#count; node++) {
      this.#slots[this.#slotOf(pairs[2 * node] ?? EMPTY, pairs[2 * node + 1] ?? EMPTY)] = node;
    }
  }
}
