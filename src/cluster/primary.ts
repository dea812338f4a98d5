/** The primary's composition root: makes the parts, runs the proxy, answers signals, gives the exit code. */
import { writeSync } from 'node:fs';
import { EmbeddedGeoSource } from '../adapters/outbound/geo/embedded-geo-source.js';
import type { ConfigSource } from '../adapters/inbound/config/config-source.js';
import { createLogger, type ProcessLogger, type TroubleListener } from '../adapters/outbound/log/create-logger.js';
import { loadNativeAddon, type NativeAddon } from '../adapters/outbound/native/native-addon.js';
import { PidFile } from '../adapters/outbound/pid-file.js';
import { EventLog } from '../application/event-log.js';
import { EXIT_CODE } from '../application/exit-code.js';
import type { GeoSource } from '../application/ports/geo-source.js';
import type { ReloadOutcome } from '../application/ports/reloader.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { LiveConfig } from './live-config.js';
import { openLogFile } from './open-log-file.js';
import { Proxy, type ProxyParts } from './proxy.js';
import type { Origin } from './origin.js';
import { openRoutingSources } from './routing-sources.js';
import { toHandOn } from './service-manager/handed-over.js';
import { handedSockets, openServiceManager } from './service-manager/open.js';
import type { ServiceManager } from './service-manager/service-manager.js';
import { answerSignal } from './start-signals.js';
import { bequeath } from './upgrade/inheritance.js';
import { Predecessor } from './upgrade/predecessor.js';
import { Upgrader } from './upgrade/upgrader.js';

const STARTING: ReloadOutcome = { isApplied: false, problems: ['the proxy is starting'] };

/** What does not depend on what runs already. */
type RunParts = Omit<ProxyParts, 'reloader'>;

/** What a run is about, whatever its parts are. */
interface Run {
  readonly config: ProxyConfig;
  readonly source: ConfigSource;
  readonly logger: ProcessLogger;
  readonly events: EventLog;
  readonly stop: StopSignals;
  readonly origin: Origin;
  readonly version: string;
}

/**
 * Runs the proxy until a signal ends it; resolves with the exit code. `source` is what `config` was loaded from, `version`
 * that of the package.
 */
export async function runPrimary(
  config: ProxyConfig,
  warnings: readonly string[],
  source: ConfigSource,
  origin: Origin,
  version: string,
): Promise<number> {
  const file = openLogFile(config);
  const events = new EventLog(() => Date.now());
  const onTrouble: TroubleListener = (kind, context, message) => events.note(kind, context, message);
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, role: 'primary', file, onTrouble });
  for (const warning of warnings) logger.warn({}, warning);
  const run: Run = { config, source, logger, events, stop: firstStopSignal(), origin, version };
  try {
    await (config.isDemo ? runDemo(run) : runUntilSignal(run, await makeParts(config, run)));
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

async function makeParts(config: ProxyConfig, { logger, events, version }: Run): Promise<RunParts> {
  const native = loadNativeAddon();
  return {
    native,
    logger,
    events,
    version,
    repository: openRoutingSources(config, logger),
    geo: config.geoipPath === null ? new EmbeddedGeoSource(native) : await openMmdb(config.geoipPath, native),
  };
}

/** Loaded only now: who has no database of their own need not wait for its code. */
async function openMmdb(path: string, native: NativeAddon): Promise<GeoSource> {
  const { MmdbGeoSource } = await import('../adapters/outbound/geo/mmdb-geo-source.js');
  return new MmdbGeoSource(path, native);
}

/** Loaded only now: who runs no demo need not wait for its code. */
async function runDemo(run: Run): Promise<void> {
  const { config } = run;
  const [{ Demo, demoInstructions }, { DemoGeoSource }] = await Promise.all([
    import('./demo/demo.js'),
    import('./demo/demo-geo-source.js'),
  ]);
  const demo = await Demo.start();
  try {
    const parts = await makeParts(demo.configure(config), run);
    const geo = config.geoipPath === null ? new DemoGeoSource(parts.native) : parts.geo;
    await runUntilSignal(run, { ...parts, geo }, (proxy) => {
      print(demoInstructions(proxy.bound, config.region));
    });
  } finally {
    await demo.close();
  }
}

async function runUntilSignal(
  run: Run,
  parts: RunParts,
  onReady: (proxy: Proxy) => void = () => undefined,
): Promise<void> {
  const { config, source, logger, stop, origin, version } = run;
  const { inheritance, handedOver } = origin;
  process.title = 'edgeproxy';
  const upgrader = new Upgrader(logger);
  answerSignal('SIGUSR2', () => upgrader.begin());
  const predecessor = inheritance === null ? null : new Predecessor(inheritance, parts.native, logger);
  const pidFile = config.pidFile === null ? null : new PidFile(config.pidFile);
  const manager = await openServiceManager(handedOver, parts);
  try {
    const memory = predecessor?.memory ?? null;
    const inherited = inheritance?.listeners ?? (await handedSockets(handedOver, config, parts));
    let live: LiveConfig | null = null;
    const reload = async (): Promise<ReloadOutcome> => {
      // First: what the reload has to tell belongs into the new file.
      logger.reopen();
      const done = Promise.all([live?.reload() ?? STARTING, proxy.reload()]);
      void manager?.reloading(done);
      return (await done)[0];
    };
    const proxy = new Proxy(config, {
      ...parts,
      reloader: { reload },
      inherited,
      memory,
    });
    // While the workers start.
    logger.prepare();
    if (!(await openUnlessStopped(proxy, stop, pidFile)))
      return logger.info({}, 'edgeproxy has ended before it was ready');
    // During an upgrade the listeners are those that the new version was given; after it they are not this one's to close.
    const apply = async (next: ProxyConfig): Promise<void> => {
      if (await upgrader.isInCharge()) await proxy.configure(next);
    };
    live = new LiveConfig({ source, config, apply, logger });
    answerSignal('SIGHUP', () => void reload());
    const { workers, accept } = config;
    logger.info({ version, listen: proxy.bound, workers, accept }, 'edgeproxy is ready');
    onReady(proxy);
    // Before the old version ends: it is the main process until this is said.
    manager?.ready(`${workers} workers, ${proxy.bound.length} listeners`, () => proxy.isServing);
    await predecessor?.takeOver(proxy.adopted);
    if (config.isDemo) await upgrader.refuse('of the demo, whose backends end with it');
    else allowUpgrades(upgrader, proxy, pidFile, toHandOn(handedOver));
    await serveAndDrain({ ...run, proxy, live, upgrader, manager });
    logger.info({}, 'edgeproxy has ended');
  } finally {
    predecessor?.letGo();
    pidFile?.remove();
  }
}

function allowUpgrades(
  upgrader: Upgrader,
  proxy: Proxy,
  pidFile: PidFile | null,
  environment: Readonly<Record<string, string>>,
): void {
  upgrader.allow({
    // Asked for at each upgrade: a reload may have changed it.
    get timeoutMs() {
      return proxy.config.upgradeTimeoutSecs * 1000;
    },
    bequeath: () => bequeath(proxy.toInherit()),
    slots: () => proxy.slots,
    environment,
    pidFile,
  });
}

/** A run whose proxy takes clients. */
interface Serving extends Run {
  readonly proxy: Proxy;
  readonly live: LiveConfig;
  readonly upgrader: Upgrader;
  readonly manager: ServiceManager | null;
}

/** Until a signal, or until a newer version has taken over. */
async function serveAndDrain({ logger, stop, proxy, live, upgrader, manager }: Serving): Promise<void> {
  const adopted = await Promise.race([stop.first.then(() => null), upgrader.succeeded]);
  live.stop();
  const timeoutSecs = proxy.config.shutdownTimeoutSecs;
  const alone = upgrader.refuse('while this version is draining');
  if (adopted === null) {
    manager?.stopping(timeoutSecs * 1000);
    logger.info({ signal: await stop.first, timeoutSecs }, 'draining; the same signal again closes now');
  } else {
    manager?.leave();
    logger.info({ timeoutSecs }, 'the new version takes clients; draining');
    void stop.first.then((signal) => logger.info({ signal }, 'draining already; the same signal again closes now'));
    proxy.leave(adopted);
  }
  void stop.second.then(() => proxy.closeNow());
  await proxy.drain();
  await alone;
}

/** False where a signal came first; a large geo database may take long to load. */
async function openUnlessStopped(proxy: Proxy, stop: StopSignals, pidFile: PidFile | null): Promise<boolean> {
  const preparing = proxy.prepare().then(() => true);
  try {
    const isPrepared = await Promise.race([preparing, stop.first.then(() => false)]);
    if (!isPrepared) {
      await proxy.abort();
      return false;
    }
    // What can fail comes first: see open().
    pidFile?.write();
    proxy.open();
    return true;
  } catch (error) {
    await proxy.abort();
    throw error;
  } finally {
    preparing.catch(() => undefined);
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
