/**
 * A running proxy: what the primary owns, in the order in which it comes up and goes down.
 *
 * Start: sockets first (an address in use is the commonest failure), workers next, and while they start the routing
 * database and the geo database are read; clients wait in the kernel's queue until both are in force.
 */
import type { NativeAcceptor, NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { GeoRegion, GeoSource } from '../application/ports/geo-source.js';
import type { Logger } from '../application/ports/logger.js';
import type { RoutingRepository, RoutingSnapshot } from '../application/ports/routing-repository.js';
import type { ListenAddress, ProxyConfig } from '../application/proxy-config.js';
import { RefreshLoop } from '../application/refresh-loop.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { BindingTable, bindingSetsFor } from '../domain/shared/binding-table.js';
import { initialiseRegion, regionBytes } from '../domain/shared/control-region.js';
import { LAYOUT_HASH } from '../domain/shared/layout.js';
import { BindingSweep } from './binding-sweep.js';
import { DeadWorkers } from './dead-workers.js';
import { fitDescriptors, primaryDescriptors, type DescriptorBudget } from './descriptor-budget.js';
import { ListeningSockets } from './listening-sockets.js';
import type { WorkerSettings } from './messages.js';
import { randomSeeds } from './random-seeds.js';
import { RoutingPublisher } from './routing-publisher.js';
import { WorkerSupervisor } from './worker-supervisor.js';

/** Under load the acceptor lets this much time pass between rounds: a wake-up per batch, not per connection. */
const COALESCE_MICROS = 200;
/** After the last word of a shutdown a worker that does not answer is killed. */
const LAST_WORD_MS = 1000;

export interface ProxyParts {
  readonly native: NativeAddon;
  readonly repository: RoutingRepository;
  readonly geo: GeoSource;
  readonly logger: Logger;
}

export class Proxy {
  readonly #config: ProxyConfig;
  readonly #parts: ProxyParts;
  readonly #sockets: ListeningSockets;
  readonly #regionFd: number;
  readonly #acceptor: NativeAcceptor;
  readonly #supervisor: WorkerSupervisor;
  readonly #publisher: RoutingPublisher;
  readonly #routing: RefreshLoop<RoutingSnapshot>;
  readonly #geo: RefreshLoop<GeoRegion>;
  readonly #sweep: BindingSweep;

  /** Opens the sockets and forks the workers. Throws an EdgeproxyError where that cannot be. */
  constructor(config: ProxyConfig, parts: ProxyParts) {
    this.#config = config;
    this.#parts = parts;
    const { native, logger } = parts;
    const budget = this.#budget();
    this.#sockets = new ListeningSockets(native, {
      addresses: config.listen,
      accept: config.accept,
      workers: config.workers,
      backlog: config.listenBacklog,
    });
    const made = makeRegion(native, config);
    this.#regionFd = made.fd;
    const bindings = new BindingTable(made.region);
    this.#publisher = new RoutingPublisher(made.region, bindings, config.region, logger);
    this.#acceptor = new native.Acceptor({
      region: made.buffer,
      layoutHash: LAYOUT_HASH,
      maxConnectionsPerWorker: budget.maxConnections,
      coalesceMicros: COALESCE_MICROS,
    });
    const dead = new DeadWorkers(made.region, () => this.#publisher.usedSlots);
    this.#supervisor = new WorkerSupervisor({
      native,
      acceptor: this.#acceptor,
      sockets: this.#sockets,
      regionFd: made.fd,
      workers: config.workers,
      settingsOf: (workerIndex) => workerSettings(config, budget, workerIndex),
      logger,
      reclaim: (workerIndex) => dead.reclaim(workerIndex),
    });
    this.#routing = this.#makeRoutingLoop();
    this.#geo = this.#makeGeoLoop();
    this.#sweep = new BindingSweep(bindings, config.bindingGcIntervalSecs * 1000, monotonicSecs);
    this.#supervisor.start();
  }

  /** The addresses with their real ports. */
  get bound(): readonly ListenAddress[] {
    return this.#sockets.bound;
  }

  /** Takes clients once routes and geo are in force and a worker is there; rejects where that cannot be. */
  async open(): Promise<void> {
    await Promise.all([this.#routing.start(), this.#geo.start(), this.#supervisor.firstReady]);
    for (const { listenerId, fd, workerIndex } of this.#sockets.sockets) {
      if (workerIndex === null) this.#acceptor.addListener(listenerId, fd);
    }
    this.#supervisor.open();
  }

  /** Reads the databases now instead of at the next interval. */
  async reload(): Promise<void> {
    await Promise.all([this.#routing.refreshNow(), this.#geo.refreshNow()]);
  }

  /** Accepts no more, lets connections end for up to SHUTDOWN_TIMEOUT_SECS, resets the rest. */
  async drain(): Promise<void> {
    this.#stopRefreshing();
    this.#supervisor.endSuccession();
    await this.#acceptor.stop();
    // The workers' copies are the last ones now: they empty the queues and close them.
    this.#sockets.close();
    const deadline = setTimeout(() => this.closeNow(), this.#config.shutdownTimeoutSecs * 1000);
    await this.#supervisor.end({ type: 'drain' });
    clearTimeout(deadline);
    await this.#release();
  }

  /** Cuts a drain short. */
  closeNow(): void {
    this.#supervisor.closeNow();
    setTimeout(() => this.#supervisor.kill(), LAST_WORD_MS).unref();
  }

  /** Ends at once, for a start that failed. */
  async abort(): Promise<void> {
    this.#stopRefreshing();
    this.#supervisor.kill();
    await this.#supervisor.end({ type: 'close' });
    this.#sockets.close();
    await this.#release();
  }

  #stopRefreshing(): void {
    this.#routing.stop();
    this.#geo.stop();
    this.#sweep.stop();
  }

  async #release(): Promise<void> {
    this.#acceptor.close();
    this.#parts.native.closeFd(this.#regionFd);
    await Promise.all([this.#parts.repository.close(), this.#parts.geo.close()]);
  }

  #budget(): DescriptorBudget {
    const { accept, listen, maxConnections, maxPipes, workers } = this.#config;
    const { hard } = this.#parts.native.raiseFileLimit();
    const budget = fitDescriptors(hard, maxConnections, maxPipes);
    if (budget.maxConnections < 1) throw fileLimitError(hard, 'a single connection');
    const needed = primaryDescriptors(workers, accept === 'reuseport' ? listen.length * workers : listen.length);
    if (hard < needed) throw fileLimitError(hard, `${workers} workers, which need ${needed}`);
    if (budget.isReduced) {
      const context = { fileLimit: hard, wanted: { maxConnections, maxPipes }, used: budget };
      this.#parts.logger.warn(context, 'RLIMIT_NOFILE is too low for MAX_CONNECTIONS and MAX_PIPES; using what fits');
    }
    return budget;
  }

  #makeRoutingLoop(): RefreshLoop<RoutingSnapshot> {
    return new RefreshLoop({
      name: 'routing database',
      intervalMs: this.#config.dbReloadSecs * 1000,
      read: async () => (await this.#parts.repository.readIfChanged()) ?? this.#publisher.placeable(),
      apply: (snapshot) => this.#publisher.publish(snapshot),
      logger: this.#parts.logger,
      schedule,
    });
  }

  #makeGeoLoop(): RefreshLoop<GeoRegion> {
    return new RefreshLoop({
      name: 'geo database',
      intervalMs: this.#config.dbReloadSecs * 1000,
      read: () => this.#parts.geo.loadIfChanged(),
      discard: (geo) => geo.close(),
      apply: (geo) => {
        this.#supervisor.useGeo(geo);
        this.#parts.logger.info({ geo: geo.description }, 'geo database in force');
      },
      logger: this.#parts.logger,
      schedule,
    });
  }
}

function makeRegion(native: NativeAddon, config: ProxyConfig) {
  const { workers, maxBackends: backends, maxBindings } = config;
  const capacity = { workers, backends, bindingSets: bindingSetsFor(maxBindings) };
  const { fd, buffer } = native.createRegion('edgeproxy-control', regionBytes(capacity));
  return { fd, buffer, region: initialiseRegion(buffer, capacity, randomSeeds()) };
}

function workerSettings(config: ProxyConfig, budget: DescriptorBudget, workerIndex: number): WorkerSettings {
  return {
    workerIndex,
    primaryPid: process.pid,
    // The bindings' clock counts whole seconds: half of one would be none.
    bindingTtlSecs: Math.ceil(config.bindingTtlSecs),
    maxConnections: budget.maxConnections,
    maxPipes: budget.maxPipes,
    connectRetries: config.connectRetries,
    connectTimeoutMs: config.connectTimeoutMs,
    idleTimeoutMs: config.idleTimeoutSecs * 1000,
    halfCloseTimeoutMs: config.halfCloseTimeoutSecs * 1000,
    maxLifetimeMs: config.maxLifetimeSecs * 1000,
    isSpliceEnabled: config.isSpliceEnabled,
  };
}

function fileLimitError(limit: number, what: string): EdgeproxyError {
  return new EdgeproxyError('EP_FILE_LIMIT', `RLIMIT_NOFILE is ${limit}: too low for ${what}.`, { source: 'config' });
}

/** The clock that the relay gives to route(): seconds of CLOCK_MONOTONIC. */
function monotonicSecs(): number {
  return Number(process.hrtime.bigint() / 1_000_000_000n);
}

function schedule(action: () => void, delayMs: number): () => void {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
}
