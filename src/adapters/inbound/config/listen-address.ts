import { SocketAddress, isIP } from 'node:net';
import type { ListenAddress } from '../../../application/proxy-config.js';
import { quoteValue } from './quote-value.js';
import type { Parsed, ValueParser } from './value-parser.js';

/** Each costs a descriptor per worker and a number in every routing request. */
export const MAX_LISTENERS = 64;
const ADDRESS = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:]*)):(?<port>0|[1-9]\d{0,4})$/;
const NAMES: ReadonlyMap<string, string> = new Map([
  ['localhost', '127.0.0.1'],
  ['*', '::'],
]);

/** `host:port`, comma-separated. Hosts are literals: a name would have to be resolved, and again when it changes. */
export const listenAddresses: ValueParser<readonly ListenAddress[]> = {
  expected: 'host:port or [v6]:port, comma-separated, hosts as IP addresses, ports from 0 to 65535',
  parse(text) {
    const parts = text.split(',');
    if (parts.length > MAX_LISTENERS) return { isValid: false, reason: `more than ${MAX_LISTENERS} addresses` };
    const addresses: ListenAddress[] = [];
    for (const part of parts) {
      const parsed = parseOne(part);
      if (!parsed.isValid) return parsed;
      const overlapping = addresses.find((other) => overlap(other, parsed.value));
      if (overlapping !== undefined) return overlapError(overlapping, parsed.value);
      addresses.push(parsed.value);
    }
    return { isValid: true, value: addresses };
  },
};

export function formatListenAddress({ address, port }: ListenAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function parseOne(text: string): Parsed<ListenAddress> {
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
function overlap(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.address === other.address || covers(one.address, other.address) || covers(other.address, one.address);
}

/** `::` takes both families. */
function covers(wildcard: string, address: string): boolean {
  return wildcard === '::' || (wildcard === '0.0.0.0' && isIP(address) === 4);
}

function overlapError(one: ListenAddress, other: ListenAddress): Parsed<never> {
  const [first, second] = [formatListenAddress(one), formatListenAddress(other)];
  return { isValid: false, reason: first === second ? `${first} appears twice` : `${first} and ${second} overlap` };
}
