import { parseCidr } from '../cidr.js';
import { buildCidrTries, type NumberedNetwork } from '../geo/cidr-trie.js';
import { NO_COUNTRY } from '../geo/geo-layout.js';
import { GeoTrieBuilder } from '../geo/geo-trie-builder.js';
import type { NetworkRun } from './rule-programs.js';
import { rulesError } from './rules-error.js';

const DESCRIPTION = new TextEncoder().encode('rules');

/**
 * The trie of a run of rules, from an address to the first of them that has a network with it, as the bytes of a geo region
 * whose leaves are rules. Throws EP_GEO_TOO_LARGE beyond `mostBytes`.
 */
export function buildNetworkTrie({ rules }: NetworkRun, mostBytes: number): Uint8Array {
  const networks = rules.flatMap(({ rule, cidrs }) => cidrs.map((text) => networkOf(rule, text)));
  const builder = new GeoTrieBuilder(mostBytes);
  // Not the most specific network wins but the earlier rule.
  const { ipv4, ipv6 } = buildCidrTries(builder, networks, NO_COUNTRY, earlierRule);
  const summary = { networks: networks.length, buildEpochSecs: 0, databaseType: DESCRIPTION };
  return new Uint8Array(builder.finish(ipv4, ipv6, summary));
}

function networkOf(value: number, text: string): NumberedNetwork {
  const parsed = parseCidr(text);
  if (!parsed.isValid) throw rulesError(`"${text}" ${parsed.reason}`);
  return { cidr: parsed.cidr, value };
}

function earlierRule(inherited: number, own: number): number {
  return inherited === NO_COUNTRY ? own : Math.min(inherited, own);
}
