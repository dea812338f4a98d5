import type { z } from 'zod';
import { listenAddress } from '../listen-address.js';
import { SETTINGS } from '../settings.js';
import { onOff, wholeNumber, type ValueParser } from '../value-parser.js';
import { field, table } from './fields.js';
import { name } from './structure-values.js';

export type ListenerTable = z.output<typeof listenerSchema>;

const MOST_MILLISECONDS = 600_000;

const protocol: ValueParser<'tcp' | 'udp'> = {
  expected: 'tcp or udp',
  parse(text) {
    if (text === 'tcp' || text === 'udp') return { isValid: true, value: text };
    return text === 'tls' ? { isValid: false, reason: 'TLS is not available in this version' } : { isValid: false };
  },
};

const proxyProtocol: ValueParser<false> = {
  expected: 'false',
  parse(text) {
    const parsed = onOff.parse(text);
    if (parsed.isValid && !parsed.value) return { isValid: true, value: false };
    return { isValid: false, reason: 'the PROXY protocol is not available in this version' };
  },
};

/** A table in which nothing can be right yet. */
const tls: ValueParser<never> = {
  expected: 'no such key: TLS is not available in this version',
  parse: () => ({ isValid: false }),
};

/** [[listeners]]: what a key that is absent takes its value from is said in its description. */
export const listenerSchema = table({
  name: field(name, 'unique name; of one without it `tcp 127.0.0.1:80`').optional(),
  bind: field(listenAddress, 'the address to listen on'),
  protocol: field(protocol, 'what is spoken there').default('tcp'),
  proxy_protocol: field(proxyProtocol, 'not available in this version').optional(),
  tls: field(tls, 'not available in this version').optional(),
  max_connections: field(
    SETTINGS.maxConnectionsPerListener.parser,
    'most connections, of UDP sessions, over all workers; 0 = off; unless given `limits.max_connections_per_listener`',
  ).optional(),
  connect_timeout_ms: limit('connectTimeoutMs'),
  connect_total_timeout_ms: limit('connectTotalTimeoutMs'),
  idle_timeout_secs: field(
    SETTINGS.idleTimeoutSecs.parser,
    'instead of `timeouts.idle_secs` here, of UDP of `timeouts.udp_idle_secs`, which cannot be off',
  ).optional(),
  half_close_timeout_secs: limit('halfCloseTimeoutSecs'),
  max_lifetime_secs: limit('maxLifetimeSecs'),
  hello_timeout_ms: field(
    wholeNumber(1, MOST_MILLISECONDS),
    'how long a TLS client may take to say which server it wants, where a rule asks for that; 5000 unless given',
  ).optional(),
  max_sessions_per_client: field(
    wholeNumber(0, 1_000_000),
    'UDP: most sessions of one client address, each worker; 0 = off; 1024 unless given',
  ).optional(),
});

function limit(key: 'connectTimeoutMs' | 'connectTotalTimeoutMs' | 'halfCloseTimeoutSecs' | 'maxLifetimeSecs') {
  return field(SETTINGS[key].parser, `instead of \`${SETTINGS[key].toml}\` here`).optional();
}
