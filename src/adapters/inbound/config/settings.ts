/**
 * Every setting, once: the environment, the flags, `--help` and the check of docs/configuration.md derive from this
 * table. Defaults are text and pass the same parser as what users write.
 */
import type { ProxyConfig } from '../../../application/proxy-config.js';
import { MAX_BACKENDS, MAX_TRIES, MAX_WORKERS } from '../../../domain/shared/layout.js';
import { listenAddresses } from './listen-address.js';
import { filePath, lowerCase, matching, onOff, oneOf, seconds, wholeNumber } from './value-parser.js';
import type { ValueParser } from './value-parser.js';

/** Settings with a variable of their own; `isDemo` is a flag alone. */
export type SettingKey = Exclude<keyof ProxyConfig, 'isDemo'>;

/** What defaults depend on. */
export interface HostFacts {
  readonly cpuCount: number;
  readonly isTerminal: boolean;
}

export interface Setting<T> {
  readonly variable: `EDGEPROXY_${string}`;
  readonly flag?: { readonly name: `--${string}`; readonly argument: string };
  /** As written in the documentation; the value itself unless `resolveFallback` is there. */
  readonly fallback: string;
  readonly resolveFallback?: (host: HostFacts) => string;
  readonly parser: ValueParser<T>;
  readonly description: string;
}

const DAY_SECS = 86_400;
/** The relay takes timeouts as 32 bits of milliseconds, which end at 49 days. */
const LONGEST_TIMEOUT_SECS = 30 * DAY_SECS;
/** The binding table compares seconds by the sign of a 32-bit difference. */
const LONGEST_TTL_SECS = 3650 * DAY_SECS;
/** 256 MiB of shared memory, and all of it is swept. */
const MOST_BINDINGS = 2 ** 24;
const EMBEDDED = 'embedded';

/** In lower case like the regions of backends, with which it is compared. */
const region = lowerCase(
  matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'up to 32 letters, digits, dots, dashes and underscores'),
);
const geoipPath: ValueParser<string | null> = {
  expected: `${filePath.expected}, or ${EMBEDDED}`,
  parse: (text) => (text === EMBEDDED ? { isValid: true, value: null } : filePath.parse(text)),
};

export const SETTINGS: { readonly [K in SettingKey]: Setting<ProxyConfig[K]> } = {
  listen: {
    variable: 'EDGEPROXY_LISTEN_ADDR',
    flag: { name: '--listen', argument: 'ADDR' },
    fallback: '0.0.0.0:8080',
    parser: listenAddresses,
    description:
      'addresses to listen on; localhost is 127.0.0.1, * is [::], which takes IPv4 too, port 0 any free port',
  },
  dbPath: {
    variable: 'EDGEPROXY_DB_PATH',
    flag: { name: '--db', argument: 'FILE' },
    fallback: 'routing.db',
    parser: filePath,
    description: 'SQLite routing database; created with its schema where it does not exist',
  },
  dbReloadSecs: {
    variable: 'EDGEPROXY_DB_RELOAD_SECS',
    fallback: '5',
    parser: seconds(0.01, DAY_SECS),
    description: 'how often the routing database and the geo database are checked for change',
  },
  region: {
    variable: 'EDGEPROXY_REGION',
    flag: { name: '--region', argument: 'R' },
    fallback: 'sa',
    parser: region,
    description: "this POP's region: sa, us, eu, ap or one of your own; taken in lower case",
  },
  geoipPath: {
    variable: 'EDGEPROXY_GEOIP_PATH',
    fallback: EMBEDDED,
    parser: geoipPath,
    description: 'MMDB file: GeoLite2 or GeoIP2 Country or City, or flat country_code; reloaded when it changes',
  },
  bindingTtlSecs: {
    variable: 'EDGEPROXY_BINDING_TTL_SECS',
    fallback: '600',
    parser: wholeNumber(0, LONGEST_TTL_SECS),
    description: 'how long a client keeps its backend after its last connection, in whole seconds; 0 = off',
  },
  bindingGcIntervalSecs: {
    variable: 'EDGEPROXY_BINDING_GC_INTERVAL_SECS',
    fallback: '60',
    parser: seconds(0.01, DAY_SECS),
    description: 'how often expired bindings are swept out',
  },
  maxBindings: {
    variable: 'EDGEPROXY_MAX_BINDINGS',
    fallback: '262144',
    parser: wholeNumber(8, MOST_BINDINGS),
    description: 'most bindings kept, oldest evicted; 16 bytes each, rounded up to a power of two',
  },
  maxBackends: {
    variable: 'EDGEPROXY_MAX_BACKENDS',
    fallback: '16384',
    parser: wholeNumber(1, MAX_BACKENDS),
    description: 'slots of the routing table; 192 bytes each and 64 more per worker',
  },
  workers: {
    variable: 'EDGEPROXY_WORKERS',
    flag: { name: '--workers', argument: 'N' },
    fallback: 'CPU count',
    resolveFallback: (host) => String(Math.min(Math.max(host.cpuCount, 1), MAX_WORKERS)),
    parser: wholeNumber(1, MAX_WORKERS),
    description: 'worker processes',
  },
  accept: {
    variable: 'EDGEPROXY_ACCEPT',
    flag: { name: '--accept', argument: 'MODE' },
    fallback: 'handoff',
    parser: oneOf(['handoff', 'reuseport']),
    description:
      'handoff: the primary accepts and gives each socket to the least-loaded worker; reuseport: the kernel spreads',
  },
  maxConnections: {
    variable: 'EDGEPROXY_MAX_CONNECTIONS',
    fallback: '10000',
    parser: wholeNumber(1, 10_000_000),
    description: 'most clients per worker; more wait in the queue of the listening socket',
  },
  listenBacklog: {
    variable: 'EDGEPROXY_LISTEN_BACKLOG',
    fallback: '4096',
    parser: wholeNumber(1, 65_535),
    description: 'length of that queue; the kernel caps it at net.core.somaxconn',
  },
  connectTimeoutMs: {
    variable: 'EDGEPROXY_CONNECT_TIMEOUT_MS',
    fallback: '5000',
    parser: wholeNumber(1, 600_000),
    description: 'milliseconds until a connect to a backend counts as failed',
  },
  connectRetries: {
    variable: 'EDGEPROXY_CONNECT_RETRIES',
    fallback: '2',
    parser: wholeNumber(0, MAX_TRIES - 1),
    description: 'further backends tried after a failed connect',
  },
  idleTimeoutSecs: {
    variable: 'EDGEPROXY_IDLE_TIMEOUT_SECS',
    fallback: '3600',
    parser: seconds(0, LONGEST_TIMEOUT_SECS),
    description: 'a connection without a byte for this long is closed; 0 = off',
  },
  halfCloseTimeoutSecs: {
    variable: 'EDGEPROXY_HALF_CLOSE_TIMEOUT_SECS',
    fallback: '30',
    parser: seconds(0, LONGEST_TIMEOUT_SECS),
    description: 'how long a connection that one side has finished may be silent; 0 = off',
  },
  maxLifetimeSecs: {
    variable: 'EDGEPROXY_MAX_LIFETIME_SECS',
    fallback: '0',
    parser: seconds(0, LONGEST_TIMEOUT_SECS),
    description: 'a connection is closed at this age; 0 = off',
  },
  shutdownTimeoutSecs: {
    variable: 'EDGEPROXY_SHUTDOWN_TIMEOUT_SECS',
    fallback: '30',
    parser: seconds(0, DAY_SECS),
    description: 'how long connections may finish after SIGTERM or SIGINT; 0 = close at once',
  },
  isSpliceEnabled: {
    variable: 'EDGEPROXY_SPLICE',
    fallback: 'on',
    parser: onOff,
    description: 'off copies every byte through userland, on splices bulk transfers in the kernel',
  },
  maxPipes: {
    variable: 'EDGEPROXY_MAX_PIPES',
    fallback: '512',
    parser: wholeNumber(0, 65_535),
    description: 'most pipes per worker for splicing, two descriptors each; directions beyond them copy',
  },
  logLevel: {
    variable: 'EDGEPROXY_LOG_LEVEL',
    flag: { name: '--log-level', argument: 'L' },
    fallback: 'info',
    parser: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    description: 'least severity that is logged',
  },
  logFormat: {
    variable: 'EDGEPROXY_LOG_FORMAT',
    flag: { name: '--log-format', argument: 'FORMAT' },
    fallback: 'pretty on a terminal, else json',
    resolveFallback: (host) => (host.isTerminal ? 'pretty' : 'json'),
    parser: oneOf(['pretty', 'json']),
    description: 'one line for people or one JSON object per event, to standard output',
  },
};

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** Set to anything but 0, false, off or no: LOG_LEVEL becomes debug unless the flag says otherwise. */
export const DEBUG_VARIABLE = 'EDGEPROXY_DEBUG';
