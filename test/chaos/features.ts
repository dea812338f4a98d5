/** Which parts of the proxy are switched on in a run: by its seed, all in a run whose seed says `all`. */
import { Dice } from './dice.js';

const ALWAYS = {
  EDGEPROXY_DB_RELOAD_SECS: '1',
  EDGEPROXY_MAX_BACKENDS: '64',
  EDGEPROXY_MAX_TRACKED_CLIENTS: '2048',
  EDGEPROXY_CONNECT_TIMEOUT_MS: '1000',
  EDGEPROXY_HALF_CLOSE_TIMEOUT_SECS: '20',
  // Workers are stopped for longer than that now and then.
  EDGEPROXY_WATCHDOG_SECS: '3',
} as const;

const FEATURES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  health: {
    EDGEPROXY_HEALTH_CHECK_ENABLED: 'on',
    EDGEPROXY_HEALTH_CHECK_INTERVAL_SECS: '0.5',
    EDGEPROXY_HEALTH_CHECK_TIMEOUT_SECS: '1',
    EDGEPROXY_HEALTH_HEALTHY_THRESHOLD: '1',
    EDGEPROXY_HEALTH_UNHEALTHY_THRESHOLD: '2',
    EDGEPROXY_HEALTH_CLOSE_CONNECTIONS: 'on',
    EDGEPROXY_SLOW_START_SECS: '1',
  },
  breaker: {
    EDGEPROXY_CIRCUIT_BREAKER_ENABLED: 'on',
    EDGEPROXY_CIRCUIT_FAILURE_THRESHOLD: '3',
    EDGEPROXY_CIRCUIT_TIMEOUT_SECS: '1',
  },
  limits: {
    EDGEPROXY_RATE_LIMIT_ENABLED: 'on',
    EDGEPROXY_RATE_LIMIT_MAX_REQUESTS: '20',
    EDGEPROXY_RATE_LIMIT_BURST: '40',
    EDGEPROXY_MAX_CONNECTIONS_PER_IP: '60',
    EDGEPROXY_MAX_CONNECTIONS_TOTAL: '2000',
  },
  pool: { EDGEPROXY_POOL_ENABLED: 'on', EDGEPROXY_POOL_IDLE_TIMEOUT_SECS: '5' },
  drain: { EDGEPROXY_DRAIN_TIMEOUT_SECS: '2' },
};
const USUAL_PERCENT = 70;

export interface Features {
  readonly names: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export function featuresOf(seed: string): Features {
  const dice = new Dice(`${seed} features`);
  const names = Object.keys(FEATURES).filter(() => dice.chance(USUAL_PERCENT) || seed.includes('all'));
  const environment: Record<string, string> = { ...ALWAYS };
  for (const name of names) Object.assign(environment, FEATURES[name]);
  return { names, environment };
}
