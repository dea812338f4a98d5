/** Networks in CIDR notation (RFC 4632, RFC 4291): `192.0.2.0/24`, `2001:db8::/32`, or a single address. */
import { formatIpAddress, parseIpAddress } from './ip-address.js';

export interface Cidr {
  readonly family: 'ipv4' | 'ipv6';
  /** The address as the batch holds it; bits beyond the prefix are 0. */
  readonly words: Uint32Array;
  /** First bit of `words` that the family counts from: IPv4 lies in the last word. */
  readonly firstBit: number;
  readonly prefixBits: number;
}

export type CidrResult =
  { readonly isValid: true; readonly cidr: Cidr } | { readonly isValid: false; readonly reason: string };

const PREFIX = /^(0|[1-9]\d{0,2})$/;
const IPV4_FIRST_BIT = 96;
const ADDRESS_BITS = 128;

/** ::ffff:0:0/96 and what lies in it is IPv4. */
export function parseCidr(text: string): CidrResult {
  const [address = '', prefix, ...rest] = text.split('/');
  const words = parseIpAddress(address);
  if (words === null || rest.length > 0) return { isValid: false, reason: 'is not an address or a network' };
  const isDotted = !address.includes(':');
  const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  const most = isDotted ? ADDRESS_BITS - IPV4_FIRST_BIT : ADDRESS_BITS;
  const bits = prefix === undefined ? most : PREFIX.test(prefix) ? Number(prefix) : Infinity;
  if (bits > most) return { isValid: false, reason: `has a prefix that is not a number from 0 to ${most}` };
  // Of 128 bits, whatever it was written as.
  const wholeBits = isDotted ? IPV4_FIRST_BIT + bits : bits;
  const isIpv4 = isMapped && wholeBits >= IPV4_FIRST_BIT;
  const firstBit = isIpv4 ? IPV4_FIRST_BIT : 0;
  const cidr: Cidr = {
    family: isIpv4 ? 'ipv4' : 'ipv6',
    words: masked(words, wholeBits),
    firstBit,
    prefixBits: wholeBits - firstBit,
  };
  if (words.some((word, index) => word !== cidr.words[index])) {
    return { isValid: false, reason: `has bits beyond its prefix; the network is ${formatCidr(cidr)}` };
  }
  return { isValid: true, cidr };
}

/** The canonical form, with its prefix also where it is a single address. */
export function formatCidr({ words, prefixBits }: Cidr): string {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  return `${formatIpAddress(w0, w1, w2, w3)}/${prefixBits}`;
}

/** Bit of a network's address, counted from the first that its family has. */
export function bitAt({ words, firstBit }: Cidr, bit: number): 0 | 1 {
  const at = firstBit + bit;
  return (((words[at >>> 5] ?? 0) >>> (31 - (at & 31))) & 1) as 0 | 1;
}

function masked(words: Uint32Array, bits: number): Uint32Array {
  return words.map((word, index) => {
    const kept = Math.min(Math.max(bits - index * 32, 0), 32);
    return kept === 0 ? 0 : word & (-1 << (32 - kept));
  });
}
