/**
 * Compiles the lists of addresses and countries into the region that workers look them up in (see access-lists.ts).
 *
 * What a network says holds below it until a longer one says something else. Of a network that is in both lists, "denied"
 * holds: it is the higher number, and the last one of equals holds.
 */
import { parseCidr } from '../cidr.js';
import { EdgeproxyError } from '../edgeproxy-error.js';
import { buildCidrTries, type NumberedNetwork } from '../geo/cidr-trie.js';
import { NO_COUNTRY } from '../geo/geo-layout.js';
import { GeoTrieBuilder } from '../geo/geo-trie-builder.js';
import { countryNumber } from '../regions.js';
import { COUNTRY_BYTES, LISTED, UNKNOWN_COUNTRY } from './access-lists.js';

export interface AccessRules {
  /** CIDR notation. */
  readonly allowCidrs: readonly string[];
  readonly denyCidrs: readonly string[];
  /** ISO 3166-1 alpha-2, upper case. */
  readonly allowCountries: readonly string[];
  readonly denyCountries: readonly string[];
}

/** 200,000 IPv6 addresses that have nothing in common take 360 MB. */
const MOST_REGION_BYTES = 2 ** 29;

/** The bytes of the region. Throws EP_GEO_TOO_LARGE, or EP_ACCESS_LIST where an entry is not what it should be. */
export function compileAccess(rules: AccessRules): Uint8Array {
  const { allowCidrs, denyCidrs, allowCountries } = rules;
  const networks = [...listed(allowCidrs, LISTED.ALLOWED), ...listed(denyCidrs, LISTED.DENIED)];
  // Who is in no list is refused where there is a list of those who are not; with countries in it, they decide.
  const unlisted = allowCidrs.length > 0 && allowCountries.length === 0 ? LISTED.DENIED : NO_COUNTRY;
  const builder = new GeoTrieBuilder(MOST_REGION_BYTES);
  const { ipv4, ipv6 } = buildCidrTries(builder, networks, unlisted, (_inherited, own) => own);
  const trie = builder.finish(ipv4, ipv6, {
    networks: networks.length,
    buildEpochSecs: 0,
    databaseType: new TextEncoder().encode('access lists'),
  });
  const region = new Uint8Array(trie.byteLength + COUNTRY_BYTES);
  region.set(new Uint8Array(trie));
  region.set(refusedCountries(rules), trie.byteLength);
  return region;
}

function listed(texts: readonly string[], verdict: number): NumberedNetwork[] {
  return texts.map((text) => {
    const parsed = parseCidr(text);
    if (!parsed.isValid) throw listError(`"${text}" ${parsed.reason}`);
    return { cidr: parsed.cidr, value: verdict };
  });
}

function refusedCountries({ allowCountries, denyCountries }: AccessRules): Uint8Array {
  const isRefused = new Uint8Array(COUNTRY_BYTES);
  if (allowCountries.length > 0) isRefused.fill(1, 0, UNKNOWN_COUNTRY + 1);
  for (const code of allowCountries) isRefused[numberOf(code)] = 0;
  for (const code of denyCountries) isRefused[numberOf(code)] = 1;
  return isRefused;
}

function numberOf(code: string): number {
  const number = countryNumber(code);
  if (number < 0) throw listError(`"${code}" is not a country code of two capital letters`);
  return number;
}

function listError(reason: string): EdgeproxyError {
  return new EdgeproxyError('EP_ACCESS_LIST', `The access lists cannot be used: ${reason}.`, { source: 'config' });
}
