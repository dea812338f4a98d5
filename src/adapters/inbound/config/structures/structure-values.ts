/** Parsers of values that only structures have: names, addresses of backends, server names. */
import { isIPv6 } from 'node:net';
import { addressFault } from '../../../../domain/address-fault.js';
import { formatCidr, parseCidr } from '../../../../domain/cidr.js';
import { formatIpAddress, parseIpAddress } from '../../../../domain/ip-address.js';
import { MAX_PATH_BYTES } from '../../../../domain/shared/layout.js';
import { quoteValue } from '../quote-value.js';
import type { Parsed, ValueParser } from '../value-parser.js';

/** Where a backend is: an IP address and a port, or `unix:/path` and port 0. */
export interface BackendAddress {
  readonly address: string;
  readonly port: number;
}

/** A rule's and a backend's make the id `rule/backend` together, which must be no longer than those of the database. */
export const MAX_NAME_CHARS = 100;
const NAME = /^[^\p{C}\p{Zl}\p{Zp}\s]([^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Zl}\p{Zp}\s])?$/u;
const HOST_AND_PORT = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:]*)):(?<port>[1-9]\d{0,4})$/;
const UNIX = 'unix:';
const UNIX_PATH = /^\/\P{Cc}*$/u;
/** RFC 1035, with the underscores that names of services have. */
const SERVER_NAME =
  /^(?:\*|(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)$/;
const MAX_SERVER_NAME_CHARS = 253;
/** The protocol's length is one byte (RFC 7301). */
const ALPN = /^[\x21-\x7e]{1,255}$/;

export const id: ValueParser<string> = {
  expected: `1 to ${MAX_NAME_CHARS} printable characters, without surrounding blanks`,
  parse: (text) =>
    text.length <= MAX_NAME_CHARS && NAME.test(text) ? { isValid: true, value: text } : { isValid: false },
};

/** Without a slash: `rule/backend` must name one backend. */
export const name: ValueParser<string> = {
  expected: `${id.expected} or slashes`,
  parse: (text) => (text.includes('/') ? { isValid: false } : id.parse(text)),
};

export const text: ValueParser<string> = {
  expected: 'at most 255 printable characters',
  parse: (value) => (value.length <= 255 && !/\p{Cc}/u.test(value) ? { isValid: true, value } : { isValid: false }),
};

export const backendAddress: ValueParser<BackendAddress> = {
  expected: 'host:port, [v6]:port (hosts as IP addresses, ports from 1 to 65535) or unix:/absolute/path',
  parse: (value) => (value.startsWith(UNIX) ? unixAddress(value) : ipAddress(value)),
};

export const cidr: ValueParser<string> = {
  expected: 'an address or a network such as 192.0.2.0/24 or 2001:db8::/32',
  parse(value) {
    const parsed = parseCidr(value);
    return parsed.isValid
      ? { isValid: true, value: formatCidr(parsed.cidr) }
      : { isValid: false, reason: `it ${parsed.reason}` };
  },
};

export const serverName: ValueParser<string> = {
  expected: 'a host name, *.name for all below it, or * for all; letters beyond ASCII as xn--',
  parse(value) {
    const lower = value.toLowerCase().replace(/(?<=[^.*])\.$/, '');
    const isValid = lower.length <= MAX_SERVER_NAME_CHARS && SERVER_NAME.test(lower);
    return isValid ? { isValid, value: lower } : { isValid };
  },
};

export const alpnProtocol: ValueParser<string> = {
  expected: 'a protocol of ALPN such as h2 or http/1.1',
  parse: (value) => (ALPN.test(value) ? { isValid: true, value } : { isValid: false }),
};

function unixAddress(value: string): Parsed<BackendAddress> {
  const path = value.slice(UNIX.length);
  if (!UNIX_PATH.test(path))
    return { isValid: false, reason: 'its path does not begin with / or has control characters' };
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES)
    return { isValid: false, reason: `its path has ${bytes} bytes; at most ${MAX_PATH_BYTES}` };
  return { isValid: true, value: { address: value, port: 0 } };
}

function ipAddress(value: string): Parsed<BackendAddress> {
  const groups = HOST_AND_PORT.exec(value)?.groups;
  if (groups === undefined) return { isValid: false };
  const v6 = groups['v6'];
  const host = v6 ?? (groups['host'] === 'localhost' ? '127.0.0.1' : (groups['host'] ?? ''));
  if (v6 !== undefined && !isIPv6(v6)) return { isValid: false, reason: `${quoteValue(v6)} is not an IPv6 address` };
  const fault = addressFault(host);
  if (fault !== null) return { isValid: false, reason: `${quoteValue(host)} ${fault}` };
  const port = Number(groups['port']);
  if (port > 65_535) return { isValid: false, reason: `port ${port} is above 65535` };
  return { isValid: true, value: { address: canonical(host), port } };
}

/** As the routing database's addresses are kept: one spelling for one host, and what is mapped into IPv6 is IPv4. */
function canonical(host: string): string {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = parseIpAddress(host) ?? [];
  return formatIpAddress(w0, w1, w2, w3);
}
