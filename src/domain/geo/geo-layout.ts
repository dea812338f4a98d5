/**
 * The geo region: a database of countries, compiled once into a trie that every worker walks in shared memory. All
 * numbers are little-endian 32-bit words.
 *
 *   ┌ header   2 lines   magic, version, hash, sizes, the two roots; for the log: networks, build time, database type
 *   └ nodes    1 line each (16 words): one reference for each value of the next four bits of the address
 *
 * A reference ≥ 0 is the index of a node; a negative one is a leaf (NO_COUNTRY_REF, or a country, see leafRef). Equal
 * subtrees are one node, so the nodes form a directed acyclic graph of at most 32 levels.
 *
 * Four bits a step and one cache line a node, because a look-up costs what it misses in the cache. Measured on 1.3
 * million source nodes, random addresses, ns per look-up IPv4 / IPv6: binary nodes 48-67 / 251-424 in 3.5 MB, two
 * bits 50 / 197 in 3.7 MB, four bits 23-37 / 87-139 in 7.5 MB. A jump table over the first 16 bits of an IPv4 address
 * took 2 to 14 ns off that, for 256 KiB and a second way to walk: left out.
 */
import { COUNTRIES, WORDS_PER_LINE } from '../shared/layout.js';

/** "EDGG" as a little-endian word. */
export const GEO_MAGIC = 0x47474445;
export const GEO_VERSION = 1;

export const GEO_HEADER = {
  MAGIC: 0,
  VERSION: 1,
  HASH: 2,
  TOTAL_WORDS: 3,
  NODES: 4,
  /** References that a walk starts from. */
  IPV4_ROOT: 5,
  IPV6_ROOT: 6,
  /** For the log only: networks of the source that have a country, build time in seconds since 1970 (unsigned). */
  NETWORKS: 7,
  BUILD_EPOCH: 8,
  /** UTF-8, filled up with zeros. */
  DATABASE_TYPE: 16,
} as const;
export const GEO_HEADER_WORDS = 2 * WORDS_PER_LINE;
export const DATABASE_TYPE_BYTES = 64;

export const BITS_PER_STEP = 4;
export const NODE_WORDS = 1 << BITS_PER_STEP;

/** What stands where a country number would, when there is none. */
export const NO_COUNTRY = -1;

/** The leaf of an address that no country is known for. */
export const NO_COUNTRY_REF = -1;

/** The leaf of a country number; of NO_COUNTRY it is NO_COUNTRY_REF. Its own inverse. */
export function leafRef(country: number): number {
  return -2 - country;
}

export function geoRegionWords(nodeCount: number): number {
  return GEO_HEADER_WORDS + nodeCount * NODE_WORDS;
}

/** Stands in the header: changes with anything above that changes the meaning of a word. */
export const GEO_HASH = [
  ...Object.values(GEO_HEADER),
  GEO_HEADER_WORDS,
  DATABASE_TYPE_BYTES,
  NODE_WORDS,
  COUNTRIES,
].reduce((hash, value) => Math.imul(hash ^ value, 0x01000193), 0x811c9dc5 | 0);
