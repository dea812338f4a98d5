/** A trie of networks, each with a number: the leaves of a geo region (geo-layout.ts) with another meaning. */
import { bitAt, type Cidr } from '../cidr.js';
import { leafRef } from './geo-layout.js';
import type { GeoTrieBuilder } from './geo-trie-builder.js';

export interface NumberedNetwork {
  readonly cidr: Cidr;
  /** At least 0. */
  readonly value: number;
}

/** What holds below a network whose own number is `own`, where `inherited` holds around it. */
export type Combine = (inherited: number, own: number) => number;

/** Both roots. `outside` is what holds for an address in none of the networks. */
export function buildCidrTries(
  builder: GeoTrieBuilder,
  networks: readonly NumberedNetwork[],
  outside: number,
  combine: Combine,
): { readonly ipv4: number; readonly ipv6: number } {
  const sorted = [...networks].sort(byAddress);
  const rootOf = (family: Cidr['family']): number =>
    buildTrie(
      builder,
      sorted.filter(({ cidr }) => cidr.family === family),
      outside,
      combine,
    );
  return { ipv4: rootOf('ipv4'), ipv6: rootOf('ipv6') };
}

/** In the order of their addresses, shorter prefixes before longer ones, of equals the lower number. */
function byAddress(one: NumberedNetwork, other: NumberedNetwork): number {
  for (let word = 0; word < 4; word++) {
    const difference = (one.cidr.words[word] ?? 0) - (other.cidr.words[word] ?? 0);
    if (difference !== 0) return difference;
  }
  return one.cidr.prefixBits - other.cidr.prefixBits || one.value - other.value;
}

function buildTrie(
  builder: GeoTrieBuilder,
  networks: readonly NumberedNetwork[],
  outside: number,
  combine: Combine,
): number {
  /** Reference of the trie under the `bit` bits that the networks from `from` up to but without `to` have in common. */
  const build = (from: number, to: number, bit: number, inherited: number): number => {
    let first = from;
    let value = inherited;
    while (first < to && networks[first]?.cidr.prefixBits === bit) {
      value = combine(value, networks[first++]?.value ?? value);
    }
    if (first === to) return leafRef(value);
    const middle = firstWithBit(networks, first, to, bit);
    return builder.pair(build(first, middle, bit + 1, value), build(middle, to, bit + 1, value));
  };
  return build(0, networks.length, 0, outside);
}

/** By bisection: they are in order, and equal up to that bit. */
function firstWithBit(networks: readonly NumberedNetwork[], from: number, to: number, bit: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const network = networks[middle];
    if (network !== undefined && bitAt(network.cidr, bit) === 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
