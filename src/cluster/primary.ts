/** The primary's composition root: makes the parts, runs the proxy, answers signals, gives the exit code. */
import { writeSync } from 'node:fs';
import { EmbeddedGeoSource } from '../adapters/outbound/geo/embedded-geo-source.js';
import { createLogger } from '../adapters/outbound/log/create-logger.js';
import { loadNativeAddon, type NativeAddon } from '../adapters/outbound/native/native-addon.js';
import { SqliteRoutingRepository } from '../adapters/outbound/sqlite/sqlite-routing-repository.js';
import { EXIT_CODE } from '../application/exit-code.js';
import type { GeoSource } from '../application/ports/geo-source.js';
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { Proxy, type ProxyParts } from './proxy.js';

/** Runs the proxy until a signal ends it; resolves with the exit code. */
export async function runPrimary(config: ProxyConfig, warnings: readonly string[]): Promise<number> {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, role: 'primary' });
  for (const warning of warnings) logger.warn({}, warning);
  const stop = firstStopSignal();
  try {
    await (config.isDemo
      ? runDemo(config, logger, stop)
      : runUntilSignal(config, await makeParts(config, logger), stop));
    return EXIT_CODE.OK;
  } catch (error) {
    if (!(error instanceof EdgeproxyError)) {
      logger.error({ error }, 'edgeproxy failed');
      return EXIT_CODE.FAILURE;
    }
    logger.error({ code: error.code, ...error.context }, error.message);
    return error.source === 'config' ? EXIT_CODE.USAGE : EXIT_CODE.FAILURE;
  }
}

async function makeParts(config: ProxyConfig, logger: Logger): Promise<ProxyParts> {
  const native = loadNativeAddon();
  return {
    native,
    logger,
    repository: new SqliteRoutingRepository({ path: config.dbPath, maxBackends: config.maxBackends }),
    geo: config.geoipPath === null ? new EmbeddedGeoSource(native) : await openMmdb(config.geoipPath, native),
  };
}

/** Loaded only now: who has no database of their own need not wait for its code. */
async function openMmdb(path: string, native: NativeAddon): Promise<GeoSource> {
  const { MmdbGeoSource } = await import('../adapters/outbound/geo/mmdb-geo-source.js');
  return new MmdbGeoSource(path, native);
}

/** Loaded only now: who runs no demo need not wait for its code. */
async function runDemo(config: ProxyConfig, logger: Logger, stop: StopSignals): Promise<void> {
  const [{ Demo, demoInstructions }, { DemoGeoSource }] = await Promise.all([
    import('./demo/demo.js'),
    import('./demo/demo-geo-source.js'),
  ]);
  const demo = await Demo.start();
  try {
    const parts = await makeParts(demo.configure(config), logger);
    const geo = config.geoipPath === null ? new DemoGeoSource(parts.native) : parts.geo;
    await runUntilSignal(demo.configure(config), { ...parts, geo }, stop, (proxy) => {
      print(demoInstructions(proxy.bound, config.region));
    });
  } finally {
    await demo.close();
  }
}

async function runUntilSignal(
  config: ProxyConfig,
  parts: ProxyParts,
  stop: StopSignals,
  onReady: (proxy: Proxy) => void = () => undefined,
): Promise<void> {
  const { logger } = parts;
  process.title = 'edgeproxy';
  // From the start: what these signals do by default is end the process.
  let reload = (): void => undefined;
  process.on('SIGHUP', () => reload());
  process.on('SIGUSR2', () => logger.warn({}, 'SIGUSR2: upgrading in place is not available in this version'));
  const proxy = new Proxy(config, parts);
  if (!(await openUnlessStopped(proxy, stop))) return logger.info({}, 'edgeproxy has ended before it was ready');
  reload = () => void proxy.reload();
  logger.info({ listen: proxy.bound, workers: config.workers, accept: config.accept }, 'edgeproxy is ready');
  onReady(proxy);

  const signal = await stop.first;
  logger.info({ signal, timeoutSecs: config.shutdownTimeoutSecs }, 'draining; the same signal again closes now');
  void stop.second.then(() => proxy.closeNow());
  await proxy.drain();
  logger.info({}, 'edgeproxy has ended');
}

/** False where a signal came first; a large geo database may take long to load. */
async function openUnlessStopped(proxy: Proxy, stop: StopSignals): Promise<boolean> {
  const opening = proxy.open().then(() => true);
  try {
    const isOpen = await Promise.race([opening, stop.first.then(() => false)]);
    if (!isOpen) await proxy.abort();
    return isOpen;
  } catch (error) {
    await proxy.abort();
    throw error;
  } finally {
    opening.catch(() => undefined);
  }
}

interface StopSignals {
  readonly first: Promise<string>;
  readonly second: Promise<string>;
}

/** To standard output, where nobody may be reading. */
function print(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // The demo runs on for whoever knows the lines.
  }
}

/** SIGTERM or SIGINT, also one that comes before the proxy is ready. */
function firstStopSignal(): StopSignals {
  const waiting: ((signal: string) => void)[] = [];
  const next = () => new Promise<string>((resolve) => waiting.push(resolve));
  const stop = { first: next(), second: next() };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => waiting.shift()?.(signal));
  return stop;
}
