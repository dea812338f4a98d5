import { LONGEST_TIMEOUT_SECS, type SomeSettings } from './setting.js';
import { onOff, seconds, wholeNumber } from './value-parser.js';

/** Warm backend connections. */
export const POOL_SETTINGS = {
  isPoolEnabled: {
    variable: 'EDGEPROXY_POOL_ENABLED',
    toml: 'pool.enabled',
    appliesAt: 'reload',
    fallback: 'off',
    parser: onOff,
    description: 'connections to backends are opened ahead, each for one client',
  },
  poolMaxPerBackend: {
    variable: 'EDGEPROXY_POOL_MAX_PER_BACKEND',
    toml: 'pool.max_per_backend',
    appliesAt: 'reload',
    fallback: '10',
    parser: wholeNumber(1, 10_000),
    description: 'most of them for each backend, over all workers, at least one per worker',
  },
  poolIdleTimeoutSecs: {
    variable: 'EDGEPROXY_POOL_IDLE_TIMEOUT_SECS',
    toml: 'pool.idle_timeout_secs',
    appliesAt: 'reload',
    fallback: '60',
    parser: seconds(0.1, LONGEST_TIMEOUT_SECS),
    description: 'one that nobody took for this long is closed',
  },
  poolMaxLifetimeSecs: {
    variable: 'EDGEPROXY_POOL_MAX_LIFETIME_SECS',
    toml: 'pool.max_lifetime_secs',
    appliesAt: 'reload',
    fallback: '300',
    parser: seconds(0.1, LONGEST_TIMEOUT_SECS),
    description: 'one is not handed out at this age',
  },
  poolConnectTimeoutSecs: {
    variable: 'EDGEPROXY_POOL_CONNECT_TIMEOUT_SECS',
    toml: 'pool.connect_timeout_secs',
    appliesAt: 'reload',
    fallback: '5',
    parser: seconds(0.01, 600),
    description: 'how long opening one may take',
  },
} satisfies SomeSettings;
