import type { SomeSettings } from './setting.js';
import { orNone, secret, seconds, wholeNumber, type ValueParser } from './value-parser.js';

const SCHEMES = ['redis:', 'rediss:'];
const MAX_CHARACTERS = 512;
const HIDDEN = '(hidden)';

/** Shown without its password, and not at all where it is wrong. */
const redisUrl: ValueParser<string> = {
  expected: 'redis://host:port or rediss://host:port, with user, password and /database where wanted',
  isSecret: true,
  parse: (text) => (isRedisUrl(text) ? { isValid: true, value: text } : { isValid: false }),
  format(text) {
    const url = new URL(text);
    if (url.password !== '') url.password = HIDDEN;
    return url.href;
  },
};

function isRedisUrl(text: string): boolean {
  if (text.length > MAX_CHARACTERS || !URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(text);
  const isPlain = search === '' && hash === '' && /^\/?\d{0,5}$/.test(pathname);
  return SCHEMES.includes(protocol) && hostname !== '' && isPlain;
}

export const REDIS_SETTINGS = {
  redisUrl: {
    variable: 'EDGEPROXY_REDIS_URL',
    toml: 'redis.url',
    appliesAt: 'start',
    fallback: 'none',
    parser: orNone(redisUrl),
    description: 'Redis whose keys proxy:backends:NAME are backends, too; looked at every DB_RELOAD_SECS',
  },
  redisPassword: {
    variable: 'EDGEPROXY_REDIS_PASSWORD',
    toml: 'redis.password',
    appliesAt: 'start',
    fallback: '',
    parser: secret(MAX_CHARACTERS),
    description: 'its password, unless the URL has it',
  },
  redisDb: {
    variable: 'EDGEPROXY_REDIS_DB',
    toml: 'redis.db',
    appliesAt: 'start',
    fallback: 'none',
    parser: orNone(wholeNumber(0, 65_535)),
    description: 'number of its database; with none that of the URL, else 0',
  },
  redisPoolSize: {
    variable: 'EDGEPROXY_REDIS_POOL_SIZE',
    toml: 'redis.pool_size',
    appliesAt: 'start',
    fallback: '1',
    parser: wholeNumber(1, 64),
    description: 'most connections that it is read over; each takes 256 keys at a time',
  },
  redisConnectTimeoutSecs: {
    variable: 'EDGEPROXY_REDIS_CONNECTION_TIMEOUT_SECS',
    toml: 'redis.connection_timeout',
    appliesAt: 'start',
    fallback: '5',
    parser: seconds(0.01, 600),
    description: 'how long connecting to it may take',
  },
  redisCommandTimeoutSecs: {
    variable: 'EDGEPROXY_REDIS_COMMAND_TIMEOUT_SECS',
    toml: 'redis.command_timeout',
    appliesAt: 'start',
    fallback: '3',
    parser: seconds(0.01, 600),
    description: 'how long each answer of it may take',
  },
} satisfies SomeSettings;
