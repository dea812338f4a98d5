/**
 * Networks that lie in no country: private, shared, link-local, loopback, documentation, benchmarking, multicast and
 * reserved (IANA's special-purpose address registries, RFC 6890). Registry data has some of them in a country, which
 * would send every client of a local network to one region.
 */
import { parseIpAddress } from '../../../domain/ip-address.js';

export interface NetworkPrefix {
  readonly family: 'ipv4' | 'ipv6';
  /** Zeros and ones, the first bit of the address first. */
  readonly bits: readonly number[];
}

const IPV4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16 ' +
  '198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3';
const IPV6 = '2001:db8::/32 3fff::/20 fc00::/7 fe80::/10 ff00::/8';

export const SPECIAL_PURPOSE_NETWORKS: readonly NetworkPrefix[] = [
  ...IPV4.split(' ').map((network) => networkPrefix('ipv4', network)),
  ...IPV6.split(' ').map((network) => networkPrefix('ipv6', network)),
];

function networkPrefix(family: NetworkPrefix['family'], network: string): NetworkPrefix {
  const [address = '', length] = network.split('/');
  const words = [...(parseIpAddress(address) ?? [])].slice(family === 'ipv4' ? -1 : 0);
  const bits = words.flatMap((word) => Array.from({ length: 32 }, (_, bit) => (word >>> (31 - bit)) & 1));
  return { family, bits: bits.slice(0, Number(length)) };
}
