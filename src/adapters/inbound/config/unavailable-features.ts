/**
 * What belongs to the configuration's vocabulary but not to this version. Switching one on is refused: a rate limit
 * that is silently ignored is worse than a proxy that does not start. Parameters of what stays off are accepted, so
 * that one environment file serves several versions.
 */
import { quoteValue } from './quote-value.js';
import { onOff, wholeNumber } from './value-parser.js';

export interface UnavailableFeature {
  readonly feature: string;
  /** Turns it on: a switch, or a number above 0. */
  readonly variable: `EDGEPROXY_${string}`;
  readonly isNumber?: boolean;
  /** Without their prefix. */
  readonly parameters: readonly string[];
}

export const UNAVAILABLE_FEATURES: readonly UnavailableFeature[] = [
  {
    feature: 'a connection limit per client address',
    variable: 'EDGEPROXY_MAX_CONNECTIONS_PER_IP',
    isNumber: true,
    parameters: [],
  },
  {
    feature: 'rate limiting',
    variable: 'EDGEPROXY_RATE_LIMIT_ENABLED',
    parameters: ['RATE_LIMIT_MAX_REQUESTS', 'RATE_LIMIT_WINDOW_SECS', 'RATE_LIMIT_BURST'],
  },
  {
    feature: 'the circuit breaker',
    variable: 'EDGEPROXY_CIRCUIT_BREAKER_ENABLED',
    parameters: ['CIRCUIT_FAILURE_THRESHOLD', 'CIRCUIT_SUCCESS_THRESHOLD', 'CIRCUIT_TIMEOUT_SECS'],
  },
  {
    feature: 'health checking',
    variable: 'EDGEPROXY_HEALTH_CHECK_ENABLED',
    parameters: [
      'HEALTH_CHECK_INTERVAL_SECS',
      'HEALTH_CHECK_TIMEOUT_SECS',
      'HEALTH_CHECK_TYPE',
      'HEALTH_CHECK_PATH',
      'HEALTH_HEALTHY_THRESHOLD',
      'HEALTH_UNHEALTHY_THRESHOLD',
    ],
  },
  {
    feature: 'the pool of warm backend connections',
    variable: 'EDGEPROXY_POOL_ENABLED',
    parameters: [
      'POOL_MAX_PER_BACKEND',
      'POOL_IDLE_TIMEOUT_SECS',
      'POOL_MAX_LIFETIME_SECS',
      'POOL_CONNECT_TIMEOUT_SECS',
    ],
  },
  {
    feature: 'the metrics endpoint',
    variable: 'EDGEPROXY_METRICS_ENABLED',
    parameters: ['METRICS_LISTEN_ADDR', 'METRICS_PATH'],
  },
  {
    feature: 'the admin API',
    variable: 'EDGEPROXY_API_ENABLED',
    parameters: ['API_LISTEN_ADDR', 'API_TOKEN', 'HEARTBEAT_TTL_SECS'],
  },
  {
    feature: 'watching the configuration',
    variable: 'EDGEPROXY_CONFIG_WATCH_ENABLED',
    parameters: ['CONFIG_WATCH_INTERVAL_SECS'],
  },
  {
    feature: 'TLS',
    variable: 'EDGEPROXY_TLS_ENABLED',
    parameters: ['TLS_LISTEN_ADDR', 'TLS_CERT', 'TLS_KEY'],
  },
  {
    feature: 'routing from PostgreSQL',
    variable: 'EDGEPROXY_POSTGRES_ENABLED',
    parameters: [
      'POSTGRES_URL',
      'POSTGRES_MAX_CONNECTIONS',
      'POSTGRES_MIN_CONNECTIONS',
      'POSTGRES_CONNECT_TIMEOUT_SECS',
      'POSTGRES_QUERY_TIMEOUT_SECS',
      'POSTGRES_RELOAD_SECS',
    ],
  },
  {
    feature: 'replication',
    variable: 'EDGEPROXY_REPLICATION_ENABLED',
    parameters: ['NODE_ID', 'GOSSIP_ADDR', 'TRANSPORT_ADDR', 'BOOTSTRAP_PEERS', 'CLUSTER_NAME'],
  },
  {
    feature: 'the DNS server',
    variable: 'EDGEPROXY_DNS_ENABLED',
    parameters: ['DNS_LISTEN_ADDR', 'DNS_DOMAIN'],
  },
];

const connectionCount = wholeNumber(0, 10_000_000);

/** What is wrong with the value of a feature's variable, or null where it leaves the feature off. */
export function unavailableProblem({ feature, variable, isNumber }: UnavailableFeature, text: string): string | null {
  const parser = isNumber === true ? connectionCount : onOff;
  const parsed = parser.parse(text);
  if (!parsed.isValid) return `${variable}: ${quoteValue(text)} is not valid; expected ${parser.expected}`;
  if (!parsed.value) return null;
  return `${variable}: ${feature} is not available in this version; set it to ${isNumber === true ? '0' : 'off'}`;
}
