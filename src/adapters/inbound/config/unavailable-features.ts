/**
 * What belongs to the configuration's vocabulary but not to this version. Switching one on is refused: a rate limit
 * that is silently ignored is worse than a proxy that does not start. Parameters of what stays off are accepted, so
 * that one environment file serves several versions.
 */
import { quoteValue } from './quote-value.js';
import { onOff } from './value-parser.js';

export interface UnavailableFeature {
  readonly feature: string;
  /** The switch that turns it on. */
  readonly variable: `EDGEPROXY_${string}`;
  /** Without their prefix. */
  readonly parameters: readonly string[];
}

export const UNAVAILABLE_FEATURES: readonly UnavailableFeature[] = [
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

/** What is wrong with the value of a feature's variable, or null where it leaves the feature off. */
export function unavailableProblem({ feature, variable }: UnavailableFeature, text: string): string | null {
  const parsed = onOff.parse(text);
  if (!parsed.isValid) return `${variable}: ${quoteValue(text)} is not valid; expected ${onOff.expected}`;
  if (!parsed.value) return null;
  return `${variable}: ${feature} is not available in this version; set it to off`;
}
