import { SocketAddress, isIP } from 'node:net';
import type { ListenAddress } from '../../../application/listener-config.js';
import { MAX_LISTENERS } from '../../../domain/shared/layout.js';
import { quoteValue } from './quote-value.js';
import type { ValueParser } from './value-parser.js';

const ADDRESS = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:]*)):(?<port>0|[1-9]\d{0,4})$/;
const NAMES: ReadonlyMap<string, string> = new Map([
  ['localhost', '127.0.0.1'],
  ['*', '::'],
]);

/** What stands for an empty list. */
export const NO_ADDRESS = 'none';

/** `host:port`, comma-separated. Hosts are literals: a name would have to be resolved, and again when it changes. */
export const listenAddresses: ValueParser<readonly ListenAddress[]> = {
  expected: `host:port or [v6]:port, comma-separated, hosts as IP addresses, ports from 0 to 65535, or ${NO_ADDRESS}`,
  isList: true,
  parse(text) {
    // Nothing is what an empty array of the configuration file becomes.
    if (text === '' || text.toLowerCase() === NO_ADDRESS) return { isValid: true, value: [] };
    const parts = text.split(',');
    if (parts.length > MAX_LISTENERS) return { isValid: false, reason: `more than ${MAX_LISTENERS} addresses` };
    const addresses: ListenAddress[] = [];
    const wrong: string[] = [];
    for (const part of parts) {
      const parsed = parseOne(part);
      if (!parsed.isValid) {
        wrong.push(parsed.reason);
        continue;
      }
      const overlapping = addresses.find((other) => overlap(other, parsed.value));
      if (overlapping === undefined) addresses.push(parsed.value);
      else wrong.push(overlapReason(overlapping, parsed.value));
    }
    // There are few enough to name them all.
    return wrong.length === 0 ? { isValid: true, value: addresses } : { isValid: false, reason: wrong.join('; ') };
  },
  format: (addresses) => (addresses.length === 0 ? NO_ADDRESS : addresses.map(formatListenAddress).join(',')),
};

/** One of them. */
export const listenAddress: ValueParser<ListenAddress> = {
  expected: 'host:port or [v6]:port, the host as an IP address, the port from 0 to 65535',
  parse: parseOne,
  format: formatListenAddress,
};

export function formatListenAddress({ address, port }: ListenAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

type ParsedAddress =
  { readonly isValid: true; readonly value: ListenAddress } | { readonly isValid: false; readonly reason: string };

function parseOne(text: string): ParsedAddress {
  const groups = ADDRESS.exec(text)?.groups;
  if (groups === undefined) return { isValid: false, reason: `${quoteValue(text)} is not host:port` };
  const v6 = groups['v6'];
  const written = v6 ?? groups['host'] ?? '';
  const host = v6 === undefined ? (NAMES.get(written) ?? written) : v6;
  const family = isIP(host);
  if (host.includes('%')) return { isValid: false, reason: `${quoteValue(host)} has a zone` };
  if (family === 0 || (v6 !== undefined && family !== 6)) {
    return { isValid: false, reason: `${quoteValue(host)} is not an IP address` };
  }
  const port = Number(groups['port']);
  if (port > 65_535) return { isValid: false, reason: `port ${port} is above 65535` };
  return { isValid: true, value: { address: canonical(host, family), port } };
}

function canonical(address: string, family: number): string {
  return new SocketAddress({ address, family: family === 6 ? 'ipv6' : 'ipv4' }).address;
}

/** Two sockets that the kernel would not bind beside each other; with port 0 it chooses two ports. */
export function overlap(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.address === other.address || covers(one.address, other.address) || covers(other.address, one.address);
}

/** `::` takes both families. */
function covers(wildcard: string, address: string): boolean {
  return wildcard === '::' || (wildcard === '0.0.0.0' && isIP(address) === 4);
}

export function overlapReason(one: ListenAddress, other: ListenAddress): string {
  const [first, second] = [formatListenAddress(one), formatListenAddress(other)];
  return first === second ? `${first} appears twice` : `${first} and ${second} overlap`;
}
