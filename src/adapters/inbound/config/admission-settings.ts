import { DAY_SECS, type SomeSettings } from './setting.js';
import { NO_ENTRIES, networks, countries } from './access-list.js';
import { onOff, seconds, wholeNumber } from './value-parser.js';

const MOST_CLIENTS = 2 ** 20;

/** Who may come in, and how often. */
export const ADMISSION_SETTINGS = {
  maxConnectionsPerIp: {
    variable: 'EDGEPROXY_MAX_CONNECTIONS_PER_IP',
    toml: 'limits.max_connections_per_ip',
    appliesAt: 'reload',
    fallback: '0',
    parser: wholeNumber(0, 10_000_000),
    description: 'most connections of one client address, over all workers; 0 = off',
  },
  maxConnectionsTotal: {
    variable: 'EDGEPROXY_MAX_CONNECTIONS_TOTAL',
    toml: 'server.max_connections',
    appliesAt: 'reload',
    fallback: '0',
    parser: wholeNumber(0, 1_000_000_000),
    description: 'most clients over all workers; more wait in the queue of the listening socket; 0 = off',
  },
  maxConnectionsPerListener: {
    variable: 'EDGEPROXY_MAX_CONNECTIONS_PER_LISTENER',
    toml: 'limits.max_connections_per_listener',
    appliesAt: 'reload',
    fallback: '0',
    parser: wholeNumber(0, 1_000_000_000),
    description: 'the same for each address listened on; 0 = off',
  },
  isRateLimitEnabled: {
    variable: 'EDGEPROXY_RATE_LIMIT_ENABLED',
    toml: 'rate_limit.enabled',
    appliesAt: 'reload',
    fallback: 'off',
    parser: onOff,
    description: 'new connections of one client address are limited in number over time',
  },
  rateLimitMaxRequests: {
    variable: 'EDGEPROXY_RATE_LIMIT_MAX_REQUESTS',
    toml: 'rate_limit.max_requests',
    appliesAt: 'reload',
    fallback: '100',
    parser: wholeNumber(1, 1_000_000),
    description: 'new connections that a client address may make in a window',
  },
  rateLimitWindowSecs: {
    variable: 'EDGEPROXY_RATE_LIMIT_WINDOW_SECS',
    toml: 'rate_limit.window_secs',
    appliesAt: 'reload',
    fallback: '1',
    parser: seconds(0.001, DAY_SECS),
    description: 'the window',
  },
  rateLimitBurst: {
    variable: 'EDGEPROXY_RATE_LIMIT_BURST',
    toml: 'rate_limit.burst',
    appliesAt: 'reload',
    fallback: '10',
    parser: wholeNumber(1, 1_000_000),
    description: 'how many of them may come at once',
  },
  maxTrackedClients: {
    variable: 'EDGEPROXY_MAX_TRACKED_CLIENTS',
    toml: 'limits.max_tracked_clients',
    appliesAt: 'start',
    fallback: '131072',
    parser: wholeNumber(8, MOST_CLIENTS),
    description: 'client addresses that rate and connection limits remember, rounded up to a power of two',
  },
  allowCidrs: {
    variable: 'EDGEPROXY_ALLOW_CIDRS',
    toml: 'access.allow_cidrs',
    appliesAt: 'reload',
    fallback: NO_ENTRIES,
    parser: networks,
    description: 'clients of these networks may come in, and with no list of allowed countries nobody else',
  },
  denyCidrs: {
    variable: 'EDGEPROXY_DENY_CIDRS',
    toml: 'access.deny_cidrs',
    appliesAt: 'reload',
    fallback: NO_ENTRIES,
    parser: networks,
    description: 'clients of these networks may not; of two networks that hold a client the smaller one decides',
  },
  allowCountries: {
    variable: 'EDGEPROXY_ALLOW_COUNTRIES',
    toml: 'access.allow_countries',
    appliesAt: 'reload',
    fallback: NO_ENTRIES,
    parser: countries,
    description: 'clients that are in no list of networks may come in from these countries alone',
  },
  denyCountries: {
    variable: 'EDGEPROXY_DENY_COUNTRIES',
    toml: 'access.deny_countries',
    appliesAt: 'reload',
    fallback: NO_ENTRIES,
    parser: countries,
    description: 'clients that are in no list of networks may not come in from these countries',
  },
} satisfies SomeSettings;
