import { RedisRoutingRepository } from '../adapters/outbound/redis/redis-routing-repository.js';
import { settledWithin } from '../adapters/outbound/settled-within.js';
import { SqliteRoutingRepository } from '../adapters/outbound/sqlite/sqlite-routing-repository.js';
import { MergedRepository } from '../application/merged-repository.js';
import type { Logger } from '../application/ports/logger.js';
import type { RoutingRepository } from '../application/ports/routing-repository.js';
import type { ProxyConfig } from '../application/proxy-config.js';

/** For a source that is not there: what is waited for it, whenever the routing database is looked at. */
const PATIENCE_MS = 250;

/** The routing database and, where there is one, Redis. */
export function openRoutingSources(config: ProxyConfig, logger: Logger): RoutingRepository {
  const { dbPath: path, maxBackends, redisUrl: url } = config;
  const first = new SqliteRoutingRepository({ path, maxBackends });
  if (url === null) return first;
  const connectTimeoutMs = config.redisConnectTimeoutSecs * 1000;
  const commandTimeoutMs = config.redisCommandTimeoutSecs * 1000;
  const { redisPassword: password, redisDb: db, redisPoolSize: poolSize } = config;
  const access = { url, password, db, poolSize, connectTimeoutMs, commandTimeoutMs };
  return new MergedRepository({
    first,
    second: new RedisRoutingRepository({ ...access, maxBackends }),
    nameOfSecond: 'Redis',
    firstPatienceMs: connectTimeoutMs + commandTimeoutMs,
    patienceMs: PATIENCE_MS,
    settledWithin,
    logger,
  });
}
