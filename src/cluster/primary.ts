/** The primary's composition root: makes the parts, runs the proxy, answers signals, gives the exit code. */
import { EmbeddedGeoSource } from '../adapters/outbound/geo/embedded-geo-source.js';
import { MmdbGeoSource } from '../adapters/outbound/geo/mmdb-geo-source.js';
import { createLogger } from '../adapters/outbound/log/create-logger.js';
import { loadNativeAddon } from '../adapters/outbound/native/native-addon.js';
import { SqliteRoutingRepository } from '../adapters/outbound/sqlite/sqlite-routing-repository.js';
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { Proxy, type ProxyParts } from './proxy.js';

const EXIT_OK = 0;
const EXIT_FAILURE = 1;
const EXIT_CONFIG = 2;

/** Runs the proxy until a signal ends it; resolves with the exit code. */
export async function runPrimary(config: ProxyConfig, warnings: readonly string[]): Promise<number> {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, role: 'primary' });
  for (const warning of warnings) logger.warn({}, warning);
  try {
    await runUntilSignal(config, makeParts(config, logger));
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof EdgeproxyError)) {
      logger.error({ error }, 'edgeproxy failed');
      return EXIT_FAILURE;
    }
    logger.error({ code: error.code, ...error.context }, error.message);
    return error.source === 'config' ? EXIT_CONFIG : EXIT_FAILURE;
  }
}

function makeParts(config: ProxyConfig, logger: Logger): ProxyParts {
  const native = loadNativeAddon();
  return {
    native,
    logger,
    repository: new SqliteRoutingRepository({ path: config.dbPath, maxBackends: config.maxBackends }),
    geo: config.geoipPath === null ? new EmbeddedGeoSource(native) : new MmdbGeoSource(config.geoipPath, native),
  };
}

async function runUntilSignal(config: ProxyConfig, parts: ProxyParts): Promise<void> {
  const { logger } = parts;
  process.title = 'edgeproxy';
  const stop = firstStopSignal();
  const proxy = new Proxy(config, parts);
  try {
    await proxy.open();
  } catch (error) {
    await proxy.abort();
    throw error;
  }
  process.on('SIGHUP', () => void proxy.reload());
  process.on('SIGUSR2', () => logger.warn({}, 'SIGUSR2: upgrading in place is not available in this version'));
  logger.info({ listen: proxy.bound, workers: config.workers, accept: config.accept }, 'edgeproxy is ready');

  const signal = await stop.first;
  logger.info({ signal, timeoutSecs: config.shutdownTimeoutSecs }, 'draining; the same signal again closes now');
  void stop.second.then(() => proxy.closeNow());
  await proxy.drain();
  logger.info({}, 'edgeproxy has ended');
}

/** SIGTERM or SIGINT, also one that comes before the proxy is ready. */
function firstStopSignal(): { first: Promise<string>; second: Promise<string> } {
  const waiting: ((signal: string) => void)[] = [];
  const next = () => new Promise<string>((resolve) => waiting.push(resolve));
  const stop = { first: next(), second: next() };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => waiting.shift()?.(signal));
  return stop;
}
