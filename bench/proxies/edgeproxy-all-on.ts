/** This proxy with everything switched off that can be, and with everything on: the two sides of the work all-on. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProxyDefinition } from '../src/model.js';
import { edgeproxyWith } from './edgeproxy.js';

const NETWORKS = 1_000;
const WORKS = ['all-on'];
/** Rotated away beside it, all of it at most 200 MB. */
const ACCESS_LOG = join(tmpdir(), 'edgeproxy-bench-access.log');

const OFF = {
  EDGEPROXY_WATCHDOG_SECS: '0',
  EDGEPROXY_OVERLOAD_LAG_MS: '0',
  EDGEPROXY_OVERLOAD_DESCRIPTORS_PERCENT: '0',
  EDGEPROXY_CONNECT_TOTAL_TIMEOUT_MS: '0',
  EDGEPROXY_PANIC_THRESHOLD_PERCENT: '0',
};

/** Every part looks at every connection, and none turns one away. */
const ON = {
  EDGEPROXY_HEALTH_CHECK_ENABLED: 'on',
  EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '1',
  EDGEPROXY_CIRCUIT_BREAKER_ENABLED: 'on',
  EDGEPROXY_PANIC_THRESHOLD_PERCENT: '10',
  EDGEPROXY_SLOW_START_SECS: '10',
  EDGEPROXY_DRAIN_TIMEOUT_SECS: '60',
  EDGEPROXY_CONNECT_TOTAL_TIMEOUT_MS: '15000',
  EDGEPROXY_MAX_LIFETIME_SECS: '3600',
  EDGEPROXY_RATE_LIMIT_ENABLED: 'on',
  EDGEPROXY_RATE_LIMIT_MAX_REQUESTS: '1000000',
  EDGEPROXY_RATE_LIMIT_BURST: '1000000',
  EDGEPROXY_MAX_CONNECTIONS_PER_IP: '100000',
  EDGEPROXY_MAX_CONNECTIONS_TOTAL: '1000000',
  EDGEPROXY_MAX_CONNECTIONS_PER_LISTENER: '1000000',
  // More than the load generator has addresses.
  EDGEPROXY_MAX_TRACKED_CLIENTS: '524288',
  EDGEPROXY_DENY_CIDRS: Array.from({ length: NETWORKS }, (_, index) => networkOf(index)).join(','),
  EDGEPROXY_DENY_COUNTRIES: 'KP,IR,SY,CU,BY',
  EDGEPROXY_OVERLOAD_LAG_MS: '1000',
  EDGEPROXY_OVERLOAD_MEMORY_MB: '100000',
  EDGEPROXY_OVERLOAD_DESCRIPTORS_PERCENT: '95',
  EDGEPROXY_WATCHDOG_SECS: '10',
};

/** Of /12 to /27, all over the address space, none of them on loopback. */
function networkOf(index: number): string {
  const bits = 12 + (index % 16);
  const address = ((20 + (index % 100)) << 24) | (((index * 2_654_435_761) >>> 8) & 0xff_ffff);
  const network = (address & (-1 << (32 - bits))) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 0xff).join('.')}/${bits}`;
}

function flavour(
  accept: 'handoff' | 'reuseport',
  name: string,
  env: Readonly<Record<string, string>>,
): ProxyDefinition {
  const summary = `this proxy, --accept ${accept}, everything ${name.replaceAll('-', ' ')}`;
  return edgeproxyWith(accept, { name: `edgeproxy-${accept}-${name}`, summary, works: WORKS, env });
}

export const edgeproxyAllOn: readonly ProxyDefinition[] = [
  ...(['reuseport', 'handoff'] as const).flatMap((accept) => [
    flavour(accept, 'all-off', OFF),
    flavour(accept, 'all-on', ON),
    {
      ...flavour(accept, 'all-off-access-log', {
        ...OFF,
        EDGEPROXY_ACCESS_LOG: ACCESS_LOG,
        EDGEPROXY_ACCESS_LOG_MAX_FILES: '1',
      }),
      isContext: true,
    },
  ]),
  { ...flavour('handoff', 'all-on-pool', { ...ON, EDGEPROXY_POOL_ENABLED: 'on' }), isContext: true },
];
