import { listenAddress } from './listen-address.js';
import { DAY_SECS, type SomeSettings } from './setting.js';
import { onOff, seconds, secret, wholeNumber } from './value-parser.js';

export const API_SETTINGS = {
  isApiEnabled: {
    variable: 'EDGEPROXY_API_ENABLED',
    toml: 'api.enabled',
    appliesAt: 'start',
    fallback: 'off',
    parser: onOff,
    description: 'the admin API is served, by which backends register themselves too',
  },
  apiListen: {
    variable: 'EDGEPROXY_API_LISTEN_ADDR',
    toml: 'api.bind',
    appliesAt: 'start',
    fallback: '0.0.0.0:8081',
    parser: listenAddress,
    description: 'where it is served; without a token a loopback address',
  },
  apiToken: {
    variable: 'EDGEPROXY_API_TOKEN',
    toml: 'api.token',
    appliesAt: 'start',
    fallback: '',
    parser: secret(512),
    description: 'what its users have to send (Authorization: Bearer …)',
  },
  apiRateLimit: {
    variable: 'EDGEPROXY_API_RATE_LIMIT',
    toml: 'api.rate_limit',
    appliesAt: 'reload',
    fallback: '2000',
    parser: wholeNumber(0, 1_000_000),
    description: 'requests per second that it takes of one address, as many of them at once; 0 = off',
  },
  heartbeatTtlSecs: {
    variable: 'EDGEPROXY_HEARTBEAT_TTL_SECS',
    toml: 'api.heartbeat_ttl_secs',
    appliesAt: 'reload',
    fallback: '60',
    parser: seconds(0.1, DAY_SECS),
    description: 'a registered backend without a heartbeat for this long gets no new clients',
  },
} satisfies SomeSettings;
