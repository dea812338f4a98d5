/**
 * The lists of addresses and countries as a region of shared memory, compiled once and looked up by every worker:
 *
 *   ┌ trie       a geo region (see geo-layout.ts) whose leaves are LISTED instead of countries; none = in no list
 *   └ countries  one byte for each country number and one for "unknown": 1 = refused
 *
 * All lists are in one region, so that a worker has the old ones or the new ones, never some of each.
 */
import { EdgeproxyError } from '../edgeproxy-error.js';
import { GEO_HEADER } from '../geo/geo-layout.js';
import { GeoTable } from '../geo/geo-table.js';
import { COUNTRIES } from '../shared/layout.js';

/** Leaves of the trie. */
export const LISTED = { ALLOWED: 0, DENIED: 1 } as const;
/** Where the byte for clients of no country stands. */
export const UNKNOWN_COUNTRY = COUNTRIES;
export const COUNTRY_BYTES = 4 * Math.ceil((COUNTRIES + 1) / 4);

export class AccessLists {
  /** Nobody is refused. */
  readonly isEmpty: boolean;
  readonly #addresses: GeoTable;
  readonly #isRefused: Uint8Array;
  readonly #hasCountries: boolean;

  /** Throws EP_ACCESS_REGION or EP_GEO_REGION where the bytes are not lists of this build. */
  constructor(region: SharedArrayBuffer) {
    this.#addresses = new GeoTable(region);
    const words = new Int32Array(region, 0, Math.floor(region.byteLength / Int32Array.BYTES_PER_ELEMENT));
    const countriesAt = (words[GEO_HEADER.TOTAL_WORDS] ?? 0) * Int32Array.BYTES_PER_ELEMENT;
    if (countriesAt + COUNTRY_BYTES > region.byteLength) throw regionError(region.byteLength);
    // A copy: 677 bytes that stay in this process's cache.
    this.#isRefused = new Uint8Array(region, countriesAt, COUNTRY_BYTES).slice();
    this.#hasCountries = this.#isRefused.includes(1);
    this.isEmpty = !this.#hasCountries && (words[GEO_HEADER.NETWORKS] ?? 0) === 0;
  }

  /** What the address lists say: one of LISTED, or another number where the countries decide. */
  addressVerdict(w0: number, w1: number, w2: number, w3: number): number {
    return this.#addresses.countryOf(w0, w1, w2, w3);
  }

  /** Whether any country is refused. */
  get asksCountry(): boolean {
    return this.#hasCountries;
  }

  /** Takes a country number, -1 = unknown. */
  refusesCountry(country: number): boolean {
    return this.#isRefused[country < 0 ? UNKNOWN_COUNTRY : country] === 1;
  }
}

function regionError(bytes: number): EdgeproxyError {
  return new EdgeproxyError('EP_ACCESS_REGION', `access lists: ${bytes} bytes, without the countries at their end`, {
    source: 'internal',
  });
}
