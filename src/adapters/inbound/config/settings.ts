/**
 * Every setting, once: the environment, the flags, `--help` and the check of docs/configuration.md derive from this
 * table. Defaults are text and pass the same parser as what users write.
 */
import type { ProxyConfig } from '../../../application/proxy-config.js';
import { MAX_TRIES } from '../../../domain/shared/batch-layout.js';
import { MAX_BACKENDS, MAX_WORKERS } from '../../../domain/shared/layout.js';
import { ACCESS_LOG_SETTINGS } from './access-log-settings.js';
import { ADMISSION_SETTINGS } from './admission-settings.js';
import { API_SETTINGS } from './api-settings.js';
import { BACKEND_STATE_SETTINGS } from './backend-state-settings.js';
import { HEALTH_CHECK_SETTINGS } from './health-check-settings.js';
import { NO_ADDRESS, listenAddresses } from './listen-address.js';
import { LOG_SETTINGS } from './log-settings.js';
import { METRICS_SETTINGS } from './metrics-settings.js';
import { OPERATION_SETTINGS } from './operation-settings.js';
import { POOL_SETTINGS } from './pool-settings.js';
import { REDIS_SETTINGS } from './redis-settings.js';
import { DAY_SECS, LONGEST_TIMEOUT_SECS, type Setting, type SettingKey } from './setting.js';
import { filePath, lowerCase, matching, onOff, oneOf, seconds, secondsAsMs, wholeNumber } from './value-parser.js';
import type { ValueParser } from './value-parser.js';

/** The binding table compares seconds by the sign of a 32-bit difference. */
const LONGEST_TTL_SECS = 3650 * DAY_SECS;
/** 256 MiB of shared memory, and all of it is swept. */
const MOST_BINDINGS = 2 ** 24;
const DEFAULT_CONNECT_TOTAL_MS = 15_000;
const DEFAULT_CONNECTIONS = 10_000;
const MOST_CONNECTIONS = 10_000_000;
const DEFAULT_LISTEN = '0.0.0.0:8080';
const EMBEDDED = 'embedded';

/** In lower case like the regions of backends, with which it is compared. */
const region = lowerCase(
  matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'up to 32 letters, digits, dots, dashes and underscores'),
);
const geoipPath: ValueParser<string | null> = {
  expected: `${filePath.expected}, or ${EMBEDDED}`,
  parse: (text) => (text === EMBEDDED ? { isValid: true, value: null } : filePath.parse(text)),
  format: (path) => path ?? EMBEDDED,
};

export const SETTINGS: { readonly [K in SettingKey]: Setting<ProxyConfig[K]> } = {
  listen: {
    variable: 'EDGEPROXY_LISTEN_ADDR',
    toml: 'server.tcp_bind',
    appliesAt: 'reload',
    flag: { name: '--listen', argument: 'ADDR' },
    fallback: DEFAULT_LISTEN,
    resolveFallback: (facts) => (facts.hasOtherListeners ? NO_ADDRESS : DEFAULT_LISTEN),
    parser: listenAddresses,
    description:
      'addresses to listen on; localhost is 127.0.0.1, * is [::], which takes IPv4 too, port 0 any free port; none where there are other listeners',
  },
  udpListen: {
    variable: 'EDGEPROXY_UDP_LISTEN_ADDR',
    toml: 'server.udp_bind',
    appliesAt: 'reload',
    fallback: NO_ADDRESS,
    parser: listenAddresses,
    description: 'addresses to take UDP datagrams at',
  },
  dbPath: {
    variable: 'EDGEPROXY_DB_PATH',
    toml: 'routing.db_path',
    appliesAt: 'start',
    flag: { name: '--db', argument: 'FILE' },
    fallback: 'routing.db',
    parser: filePath,
    description: 'SQLite routing database; created with its schema where it does not exist',
  },
  dbReloadSecs: {
    variable: 'EDGEPROXY_DB_RELOAD_SECS',
    toml: 'routing.db_reload_secs',
    appliesAt: 'reload',
    fallback: '5',
    parser: seconds(0.01, DAY_SECS),
    description: 'how often the routing database and the geo database are checked for change',
  },
  region: {
    variable: 'EDGEPROXY_REGION',
    toml: 'routing.region',
    appliesAt: 'reload',
    flag: { name: '--region', argument: 'R' },
    fallback: 'sa',
    parser: region,
    description: "this POP's region: sa, us, eu, ap or one of your own; taken in lower case",
  },
  geoipPath: {
    variable: 'EDGEPROXY_GEOIP_PATH',
    toml: 'routing.geoip_path',
    appliesAt: 'start',
    fallback: EMBEDDED,
    parser: geoipPath,
    description: 'MMDB file: GeoLite2 or GeoIP2 Country or City, or flat country_code; reloaded when it changes',
  },
  bindingTtlSecs: {
    variable: 'EDGEPROXY_BINDING_TTL_SECS',
    toml: 'binding.ttl_secs',
    appliesAt: 'reload',
    fallback: '600',
    parser: wholeNumber(0, LONGEST_TTL_SECS),
    description: 'how long a client keeps its backend after its last connection, in whole seconds; 0 = off',
  },
  bindingGcIntervalSecs: {
    variable: 'EDGEPROXY_BINDING_GC_INTERVAL_SECS',
    toml: 'binding.gc_interval_secs',
    appliesAt: 'reload',
    fallback: '60',
    parser: seconds(0.01, DAY_SECS),
    description: 'how often expired bindings are swept out',
  },
  maxBindings: {
    variable: 'EDGEPROXY_MAX_BINDINGS',
    toml: 'binding.max_bindings',
    appliesAt: 'start',
    fallback: '262144',
    parser: wholeNumber(8, MOST_BINDINGS),
    description: 'most bindings kept, oldest evicted; 16 bytes each, rounded up to a power of two',
  },
  maxBackends: {
    variable: 'EDGEPROXY_MAX_BACKENDS',
    toml: 'routing.max_backends',
    appliesAt: 'start',
    fallback: '16384',
    parser: wholeNumber(1, MAX_BACKENDS),
    description: 'slots of the routing table; 384 bytes each and 64 more per worker',
  },
  workers: {
    variable: 'EDGEPROXY_WORKERS',
    toml: 'server.worker_threads',
    appliesAt: 'start',
    flag: { name: '--workers', argument: 'N' },
    fallback: 'CPU count',
    resolveFallback: (host) => String(Math.min(Math.max(host.cpuCount, 1), MAX_WORKERS)),
    parser: wholeNumber(1, MAX_WORKERS),
    description: 'worker processes',
  },
  accept: {
    variable: 'EDGEPROXY_ACCEPT',
    toml: 'server.accept',
    appliesAt: 'start',
    flag: { name: '--accept', argument: 'MODE' },
    fallback: 'handoff',
    parser: oneOf(['handoff', 'reuseport']),
    description:
      'handoff: the primary accepts and gives each socket to the least-loaded worker; reuseport: the kernel spreads',
  },
  maxConnections: {
    variable: 'EDGEPROXY_MAX_CONNECTIONS',
    toml: 'limits.max_connections_per_worker',
    appliesAt: 'reload',
    fallback: String(DEFAULT_CONNECTIONS),
    // Where only the sum is given, it alone decides.
    resolveFallback: ({ maxConnectionsTotal }) =>
      String(Math.min(Math.max(DEFAULT_CONNECTIONS, maxConnectionsTotal), MOST_CONNECTIONS)),
    parser: wholeNumber(1, MOST_CONNECTIONS),
    description:
      'most clients per worker; more wait in the queue of the listening socket; unless given no less than EDGEPROXY_MAX_CONNECTIONS_TOTAL',
  },
  listenBacklog: {
    variable: 'EDGEPROXY_LISTEN_BACKLOG',
    toml: 'server.listen_backlog',
    appliesAt: 'start',
    fallback: '4096',
    parser: wholeNumber(1, 65_535),
    description: 'length of that queue; the kernel caps it at net.core.somaxconn',
  },
  connectTimeoutMs: {
    variable: 'EDGEPROXY_CONNECT_TIMEOUT_MS',
    toml: 'connect.timeout_ms',
    aliases: [{ toml: 'server.connection_timeout', parser: secondsAsMs(1, 600_000) }],
    appliesAt: 'reload',
    fallback: '5000',
    parser: wholeNumber(1, 600_000),
    description: 'milliseconds until a connect to a backend counts as failed',
  },
  connectRetries: {
    variable: 'EDGEPROXY_CONNECT_RETRIES',
    toml: 'connect.retries',
    appliesAt: 'reload',
    fallback: '2',
    parser: wholeNumber(0, MAX_TRIES - 1),
    description: 'further backends tried after a failed connect',
  },
  connectTotalTimeoutMs: {
    variable: 'EDGEPROXY_CONNECT_TOTAL_TIMEOUT_MS',
    toml: 'connect.total_timeout_ms',
    appliesAt: 'reload',
    fallback: String(DEFAULT_CONNECT_TOTAL_MS),
    // A single try may take as long as it was said to.
    resolveFallback: ({ connectTimeoutMs }) => String(Math.max(DEFAULT_CONNECT_TOTAL_MS, connectTimeoutMs)),
    parser: wholeNumber(0, 3_600_000),
    description:
      'milliseconds until a client that no backend took is turned away, all tries together; 0 = off; unless given no less than EDGEPROXY_CONNECT_TIMEOUT_MS',
  },
  idleTimeoutSecs: {
    variable: 'EDGEPROXY_IDLE_TIMEOUT_SECS',
    toml: 'timeouts.idle_secs',
    appliesAt: 'reload',
    fallback: '3600',
    parser: seconds(0, LONGEST_TIMEOUT_SECS),
    description: 'a connection without a byte for this long is closed; 0 = off',
  },
  udpIdleTimeoutSecs: {
    variable: 'EDGEPROXY_UDP_IDLE_TIMEOUT_SECS',
    toml: 'timeouts.udp_idle_secs',
    appliesAt: 'reload',
    fallback: '60',
    parser: seconds(0.1, LONGEST_TIMEOUT_SECS),
    description: 'the same for UDP sessions, which nothing else ends: so it is never off',
  },
  halfCloseTimeoutSecs: {
    variable: 'EDGEPROXY_HALF_CLOSE_TIMEOUT_SECS',
    toml: 'timeouts.half_close_secs',
    appliesAt: 'reload',
    fallback: '30',
    parser: seconds(0, LONGEST_TIMEOUT_SECS),
    description: 'how long a connection that one side has finished may be silent; 0 = off',
  },
  maxLifetimeSecs: {
    variable: 'EDGEPROXY_MAX_LIFETIME_SECS',
    toml: 'timeouts.max_lifetime_secs',
    appliesAt: 'reload',
    fallback: '0',
    parser: seconds(0, LONGEST_TIMEOUT_SECS),
    description: 'a connection is closed at this age; 0 = off',
  },
  ...BACKEND_STATE_SETTINGS,
  ...HEALTH_CHECK_SETTINGS,
  ...ADMISSION_SETTINGS,
  ...POOL_SETTINGS,
  ...OPERATION_SETTINGS,
  shutdownTimeoutSecs: {
    variable: 'EDGEPROXY_SHUTDOWN_TIMEOUT_SECS',
    toml: 'timeouts.shutdown_secs',
    appliesAt: 'reload',
    fallback: '30',
    parser: seconds(0, DAY_SECS),
    description: 'how long connections may finish after SIGTERM or SIGINT; 0 = close at once',
  },
  isSpliceEnabled: {
    variable: 'EDGEPROXY_SPLICE',
    toml: 'relay.splice',
    appliesAt: 'reload',
    fallback: 'on',
    parser: onOff,
    description: 'off copies every byte through userland, on splices bulk transfers in the kernel',
  },
  bufferBytes: {
    variable: 'EDGEPROXY_BUFFER_SIZE',
    toml: 'relay.buffer_size',
    aliases: [{ toml: 'server.buffer_size' }],
    appliesAt: 'reload',
    fallback: '65536',
    parser: wholeNumber(1024, 1_048_576),
    description: 'most bytes copied at a time, from one buffer per worker; streams that keep filling it are spliced',
  },
  maxPipes: {
    variable: 'EDGEPROXY_MAX_PIPES',
    toml: 'relay.max_pipes',
    appliesAt: 'start',
    fallback: '512',
    parser: wholeNumber(0, 65_535),
    description: 'most pipes per worker for splicing, two descriptors each; directions beyond them copy',
  },
  ...REDIS_SETTINGS,
  ...METRICS_SETTINGS,
  ...API_SETTINGS,
  ...LOG_SETTINGS,
  ...ACCESS_LOG_SETTINGS,
};

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** Set to anything but 0, false, off or no: LOG_LEVEL becomes debug unless the flag says otherwise. */
export const DEBUG_VARIABLE = 'EDGEPROXY_DEBUG';
