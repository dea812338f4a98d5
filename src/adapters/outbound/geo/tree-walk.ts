/**
 * One iterative pass over a search tree, children before parents. A node that several others point to (IPv4 lies in an
 * IPv6 tree at ::/96 and again at ::ffff:0:0/96, 2002::/16 and other aliases) is walked once. The tree is foreign: a
 * cycle, or a path with more nodes than an address has bits, is refused.
 */
import { leafRef, NO_COUNTRY_REF } from '../../../domain/geo/geo-layout.js';
import type { GeoTrieBuilder } from '../../../domain/geo/geo-trie-builder.js';
import { damaged } from './geo-error.js';
import type { MmdbFile } from './mmdb-file.js';
import type { MmdbDatabase } from './mmdb-metadata.js';
import type { RecordCountries } from './record-countries.js';
import { SearchTree, type Side } from './search-tree.js';

/** Values of a node's height: levels below and including it, 1 to 128, or one of these. */
const UNSEEN = 0;
const ON_PATH = 255;
/** Zero bits in front of an IPv4 address in an IPv6 tree. */
const IPV4_PREFIX_BITS = 96;

export class TreeWalk {
  readonly #file: MmdbFile;
  readonly #tree: SearchTree;
  readonly #nodeCount: number;
  readonly #addressBits: number;
  readonly #countries: RecordCountries;
  readonly #builder: GeoTrieBuilder;
  /** By node: its reference in the new trie, and its height. */
  readonly #refs: Int32Array;
  readonly #heights: Uint8Array;
  /** By depth, along the path from the root: the node, the side it is at (2 = both done), what its sides came to. */
  readonly #path: Int32Array;
  readonly #sides: Uint8Array;
  readonly #halves: Int32Array;
  readonly #below: Uint8Array;

  constructor(file: MmdbFile, database: MmdbDatabase, countries: RecordCountries, builder: GeoTrieBuilder) {
    this.#file = file;
    this.#tree = new SearchTree(file.bytes, database.recordBits);
    this.#nodeCount = database.nodeCount;
    this.#addressBits = database.addressBits;
    this.#countries = countries;
    this.#builder = builder;
    this.#refs = new Int32Array(database.nodeCount);
    this.#heights = new Uint8Array(database.nodeCount);
    this.#path = new Int32Array(database.addressBits);
    this.#sides = new Uint8Array(database.addressBits);
    this.#halves = new Int32Array(2 * database.addressBits);
    this.#below = new Uint8Array(database.addressBits);
  }

  /** References of the new trie that a look-up of an IPv4 and of an IPv6 address starts from. */
  roots(): { ipv4: number; ipv6: number } {
    const root = this.#walk();
    return this.#addressBits === 32 ? { ipv4: root, ipv6: NO_COUNTRY_REF } : { ipv4: this.#ipv4Root(), ipv6: root };
  }

  #ipv4Root(): number {
    let target = 0;
    for (let bit = 0; bit < IPV4_PREFIX_BITS && target < this.#nodeCount; bit++) target = this.#tree.record(target, 0);
    // A leaf above: the walk has already had it decoded, so no address is needed.
    return target < this.#nodeCount ? this.#at(this.#refs, target) : this.#leaf(target, 0);
  }

  #walk(): number {
    let depth = this.#enter(0, 0);
    for (;;) {
      const node = this.#at(this.#path, depth);
      const side = this.#at(this.#sides, depth);
      if (side > 1) {
        this.#leave(node, depth);
        if (depth === 0) return this.#at(this.#refs, node);
        depth--;
        this.#settle(depth, this.#at(this.#refs, node), this.#at(this.#heights, node));
        continue;
      }
      const target = this.#tree.record(node, side as Side);
      if (target >= this.#nodeCount) this.#settle(depth, this.#leaf(target, depth), 0);
      else if (this.#at(this.#heights, target) === UNSEEN) depth = this.#enter(target, depth + 1);
      else this.#reuse(target, depth);
    }
  }

  #enter(node: number, depth: number): number {
    if (depth >= this.#addressBits) throw this.#tooDeep(node);
    this.#heights[node] = ON_PATH;
    this.#path[depth] = node;
    this.#sides[depth] = 0;
    this.#below[depth] = 0;
    return depth;
  }

  #leave(node: number, depth: number): void {
    this.#refs[node] = this.#builder.pair(this.#at(this.#halves, 2 * depth), this.#at(this.#halves, 2 * depth + 1));
    this.#heights[node] = this.#at(this.#below, depth) + 1;
  }

  #reuse(node: number, depth: number): void {
    const height = this.#at(this.#heights, node);
    if (height === ON_PATH) throw damaged(this.#file, `node ${node} below itself`, 'a search tree without cycles');
    if (depth + 1 + height > this.#addressBits) throw this.#tooDeep(node);
    this.#settle(depth, this.#at(this.#refs, node), height);
  }

  /** The side of the path's node that is being walked has come to `ref`, with `height` levels below. */
  #settle(depth: number, ref: number, height: number): void {
    const side = this.#at(this.#sides, depth);
    this.#halves[2 * depth + side] = ref;
    this.#below[depth] = Math.max(this.#at(this.#below, depth), height);
    this.#sides[depth] = side + 1;
  }

  #leaf(target: number, depth: number): number {
    if (target === this.#nodeCount) return NO_COUNTRY_REF;
    return leafRef(this.#countries.countryOf(target, () => this.#address(depth)));
  }

  /** The lowest address under the current path, as text for the reader. */
  #address(depth: number): string {
    const octets = new Uint8Array(this.#addressBits / 8);
    for (let bit = 0; bit <= depth; bit++)
      octets[bit >> 3] = this.#at(octets, bit >> 3) | (this.#at(this.#sides, bit) << (7 - (bit & 7)));
    if (octets.length === 4) return octets.join('.');
    const groups = Array.from(
      { length: 8 },
      (_, group) => this.#at(octets, 2 * group) * 256 + this.#at(octets, 2 * group + 1),
    );
    return groups.map((group) => group.toString(16)).join(':');
  }

  #tooDeep(node: number): Error {
    return damaged(
      this.#file,
      `node ${node} deeper than an address has bits`,
      `a search tree of at most ${this.#addressBits} levels`,
    );
  }

  /** Indices here are depths or nodes, both checked where they come in. */
  #at(array: Int32Array | Uint8Array, index: number): number {
    return array[index] ?? 0;
  }
}
