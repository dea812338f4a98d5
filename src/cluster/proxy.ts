/**
 * A running proxy: what the primary owns, in the order in which it comes up and goes down.
 *
 * Start: sockets first (an address in use is the commonest failure), workers next, and while they start the routing
 * database and the geo database are read; clients wait in the kernel's queue until both are in force.
 */
import { NATIVE_REGION_KIND, type NativeAcceptor, type NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { EventLog } from '../application/event-log.js';
import type { GeoSource } from '../application/ports/geo-source.js';
import type { Logger } from '../application/ports/logger.js';
import type { RoutingRepository, RoutingSnapshot } from '../application/ports/routing-repository.js';
import type { Reloader } from '../application/ports/reloader.js';
import type { BoundListener, WantedAddress } from '../application/listener-config.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { RunTotals } from '../application/run-totals.js';
import { neededBy } from '../domain/rules/needed-by.js';
import { BindingTable } from '../domain/shared/binding-table.js';
import { LAYOUT_HASH, WORKER } from '../domain/shared/layout.js';
import type { RuleListener } from '../domain/rules/rule-programs.js';
import type { PoolMembers } from '../domain/shared/pool-members.js';
import { BindingSweep } from './binding-sweep.js';
import { createControlMemory, type ControlMemory } from './control-memory.js';
import { Databases } from './databases.js';
import { DeadWorkers } from './dead-workers.js';
import type { DescriptorBudget } from './descriptor-budget.js';
import { FileLimit } from './file-limit.js';
import { ListenerTable } from './listener-table.js';
import { Listeners } from './listeners.js';
import { ListeningSockets, type InheritedListener } from './listening-sockets.js';
import { monotonicMicros, monotonicNow } from './monotonic-clock.js';
import { RoutingPublisher } from './routing-publisher.js';
import { RulesService } from './rules-service.js';
import type { PrimaryControl, Service } from './service.js';
import { makeServices } from './services.js';
import type { InheritedMemory, SlotsById } from './upgrade/inherited-memory.js';
import { OldCounters } from './upgrade/old-counters.js';
import { WorkerCpus } from './worker-cpus.js';
import { acceptorLimits, workerSettings, type WorkerSettings } from './worker-settings.js';
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
  /** Listening sockets of an older version. */
  readonly inherited?: readonly InheritedListener[];
  readonly version: string;
  readonly events: EventLog;
  readonly reloader: Reloader;
  /** What that version remembers of its clients. */
  readonly memory?: InheritedMemory | null;
}

export class Proxy {
  #config: ProxyConfig;
  readonly #parts: ProxyParts;
  readonly #fileLimit: FileLimit;
  readonly #sockets: ListeningSockets;
  readonly #memory: ControlMemory;
  readonly #acceptor: NativeAcceptor;
  readonly #supervisor: WorkerSupervisor;
  readonly #listeners: Listeners;
  readonly #listenerTable = new ListenerTable();
  readonly #publisher: RoutingPublisher;
  readonly #rules: RulesService;
  /** By id, also those that were removed: their last clients wait in queues. */
  readonly #ruleListeners = new Map<number, RuleListener>();
  readonly #databases: Databases;
  readonly #sweep: BindingSweep;
  readonly #totals: RunTotals;
  readonly #oldCounters: OldCounters | null;
  readonly #services: readonly Service[];
  #isEnding = false;
  #slots: SlotsById = [];

  /** Opens the sockets and forks the workers. Throws an EdgeproxyError where that cannot be. */
  constructor(config: ProxyConfig, parts: ProxyParts) {
    this.#config = config;
    this.#parts = parts;
    const { native, logger } = parts;
    this.#fileLimit = new FileLimit(native, logger);
    const budget = this.#fileLimit.fit(config);
    const cpus = new WorkerCpus(config, parts);
    this.#sockets = this.#openSockets();
    const settings = this.#settingsFor(config, budget);
    this.#memory = createControlMemory(native, config, parts.memory ?? null);
    const { region } = this.#memory;
    this.#totals = new RunTotals(region);
    const oldRegion = parts.memory?.takeCounters() ?? null;
    this.#oldCounters = oldRegion === null ? null : new OldCounters(native, oldRegion, region);
    const bindings = new BindingTable(region);
    this.#publisher = new RoutingPublisher(region, bindings, config.region, logger);
    this.#acceptor = this.#makeAcceptor(settings);
    this.#supervisor = this.#makeSupervisor(settings, cpus);
    this.#databases = this.#makeDatabases();
    this.#sweep = new BindingSweep(bindings, config.bindingGcIntervalSecs * 1000, () => monotonicNow().secs);
    const shared = { native, logger, acceptor: this.#acceptor, supervisor: this.#supervisor };
    this.#listeners = new Listeners({
      ...shared,
      sockets: this.#sockets,
      workers: this.#supervisor.listeners,
      describe: (listener) => this.#listenerTable.describe(listener),
    });
    this.#rules = new RulesService({ ...shared, region, usePools: (pools) => this.#publishAgain(pools) });
    this.#services = makeServices({
      ...shared,
      region,
      countedRules: () => this.#rules.counted,
      totals: this.#totals,
      catchUpCounters: () => this.#oldCounters?.catchUp(),
      isUpgrade: Boolean(parts.memory),
      control: this.#control(),
    });
    this.#supervisor.admission.useRulesCheck((workerIndex) => this.#rules.has(workerIndex));
    for (const service of this.#services) service.configure(config);
    this.#rules.check(config.rules);
    this.#supervisor.start();
    // After the fork: the first line loads the logger.
    this.#fileLimit.report();
  }

  /** What is listened on, with real ports. */
  get bound(): readonly BoundListener[] {
    return this.#sockets.listeners.map((listener) => this.#listenerTable.describe(listener));
  }

  /** The slots of the backends in force. */
  get slots(): SlotsById {
    return this.#slots;
  }

  /** The listeners of an older version that this one has taken over, by their ids there. */
  get adopted(): readonly number[] {
    return this.#sockets.adoptedIds;
  }

  /** What a newer version needs to take over; the descriptors stay this one's. */
  toInherit(): { readonly listeners: readonly InheritedListener[]; readonly regionFd: number } {
    return { listeners: this.#sockets.toInherit(), regionFd: this.#memory.fd };
  }

  /** Whether a worker takes clients, and does not stand still. */
  get isServing(): boolean {
    const { words } = this.#memory.region;
    const isStalled = (index: number): boolean =>
      Atomics.load(words, this.#memory.region.workerAt(index) + WORKER.STALLED) !== 0;
    return this.#supervisor.lives.some(({ index, isAdmitted }) => isAdmitted && !isStalled(index));
  }

  /** In force. */
  get config(): ProxyConfig {
    return this.#config;
  }

  /** Resolves when routes and geo are in force and a worker is there; rejects where that cannot be. */
  async prepare(): Promise<void> {
    this.#prepareRules(this.#config);
    await this.#useRules();
    const services = this.#services.map((service) => service.prepare?.());
    await Promise.all([this.#databases.start(), this.#supervisor.firstReady, ...services]);
    await this.#remember();
  }

  /**
   * Takes clients, once prepared. After this an upgrade may not fail any more: the kernel gives clients to the sockets that
   * this version has opened in addition, and they are reset where it ends. Throws EP_LISTEN.
   */
  open(): void {
    this.#sockets.listen();
    // In the same breath: nobody waits in a queue from which nobody accepts.
    this.#listeners.open();
    this.#supervisor.admission.open();
    for (const service of this.#services) service.start();
  }

  /**
   * Takes another configuration into force under the connections that there are; what applies at a start only must be the
   * same. Throws an EdgeproxyError where it cannot be, and has changed nothing then.
   */
  async configure(config: ProxyConfig): Promise<void> {
    const budget = this.#fileLimit.fit(config);
    this.#rules.check(config.rules);
    const change = await this.#listeners.change(wantedAddresses(config));
    if (change === null || this.#hasEnded()) return;
    const previous = this.#config;
    try {
      await this.#apply(config, budget);
    } catch (error) {
      this.#rules.discard();
      this.#listeners.undo(change);
      this.#config = previous;
      this.#settingsFor(previous, budget);
      throw error;
    }
    // Last: what the workers were sent up to here reaches them before the new ones' clients.
    if (!this.#hasEnded()) this.#listeners.carryOut(change);
  }

  /** All but the listeners, whose sockets are open. */
  async #apply(config: ProxyConfig, budget: DescriptorBudget): Promise<void> {
    const settings = this.#settingsFor(config, budget);
    // First whatever may fail, for want of a descriptor or of a rule's number: nothing has changed then.
    this.#prepareRules(config);
    for (const service of this.#services) service.configure(config);
    this.#config = config;
    this.#fileLimit.report();
    this.#acceptor.configure(acceptorLimits(settings));
    await this.#supervisor.configure(settings);
    if (this.#hasEnded()) return;
    this.#databases.useInterval(config.dbReloadSecs * 1000);
    this.#sweep.useInterval(config.bindingGcIntervalSecs * 1000);
    const snapshot = this.#publisher.useRegion(config.region);
    if (snapshot !== null) this.#publish(snapshot);
    await this.#useRules();
  }

  /** Reads the databases now instead of at the next interval, and goes on in the files that are there now. */
  async reload(): Promise<void> {
    for (const service of this.#services) service.reopen?.();
    await this.#databases.refreshNow();
  }

  /** A newer version accepts from the sockets of these listeners: whoever waits there is its client. */
  leave(listenerIds: readonly number[]): void {
    this.#supervisor.tell({ type: 'leave', listeners: listenerIds });
    for (const { id, sockets } of this.#sockets.listeners) {
      if (!listenerIds.includes(id)) continue;
      for (const { fd, isUdp } of sockets) if (!isUdp) this.#acceptor.removeListener(fd);
    }
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

  /** Before anybody uses the region: clients of an older version come back to their backends. */
  async #remember(): Promise<void> {
    const { memory, logger } = this.#parts;
    if (!memory) return;
    const bindings = await memory.carryInto(this.#memory.region, this.#slots, monotonicNow().secs);
    logger.info({ bindings }, 'affinity of the old version carried over');
  }

  /** To be asked again after each wait. */
  #hasEnded(): boolean {
    return this.#isEnding;
  }

  #stopRefreshing(): void {
    this.#isEnding = true;
    this.#databases.stop();
    this.#sweep.stop();
    this.#listeners.stop();
    this.#rules.stop();
    for (const service of this.#services) service.stop();
  }

  async #release(): Promise<void> {
    this.#acceptor.close();
    this.#oldCounters?.close();
    this.#parts.native.closeFd(this.#memory.fd);
    await Promise.all([this.#databases.close(), ...this.#services.map((service) => service.close?.())]);
  }

  #publish(snapshot: RoutingSnapshot): void {
    const sinceUs = Number(monotonicMicros());
    const published = this.#publisher.publish(snapshot);
    this.#slots = published.map(({ slot, backend }) => [backend.id, slot]);
    for (const service of this.#services) service.useBackends?.(published, this.#publisher.leftOut, sinceUs);
  }

  #control(): PrimaryControl {
    const { version, events, reloader } = this.#parts;
    return {
      version,
      events,
      reloader,
      bound: () => this.bound,
      listenerNames: () => this.#listenerTable.names,
      refreshRouting: () => this.#databases.refreshRouting(),
      useSilent: (ids) => {
        const snapshot = this.#publisher.useSilent(ids);
        if (snapshot !== null) this.#publish(snapshot);
      },
    };
  }

  /** For the listeners whose sockets are open and those that were. */
  #prepareRules({ rules }: ProxyConfig): void {
    for (const it of this.#sockets.listeners) {
      this.#ruleListeners.set(it.id, { id: it.id, ...this.#listenerTable.describe(it) });
    }
    this.#rules.prepare(rules, [...this.#ruleListeners.values()]);
  }

  /** Resolves when the workers choose by them. */
  async #useRules(): Promise<void> {
    const sinceUs = Number(monotonicMicros());
    const areTaken = this.#rules.use();
    this.#tellNames(sinceUs);
    await areTaken;
  }

  #tellNames(sinceUs: number): void {
    for (const service of this.#services) service.useNames?.(sinceUs);
  }

  #publishAgain(pools: PoolMembers): void {
    const snapshot = this.#publisher.usePools(pools);
    if (snapshot !== null) this.#publish(snapshot);
  }

  #openSockets(): ListeningSockets {
    const { accept, workers, listenBacklog } = this.#config;
    return new ListeningSockets(this.#parts.native, {
      addresses: wantedAddresses(this.#config),
      accept,
      workers,
      backlog: listenBacklog,
      inherited: this.#parts.inherited ?? [],
    });
  }

  /** The sockets are those of this configuration. */
  #settingsFor(config: ProxyConfig, budget: DescriptorBudget): WorkerSettings {
    this.#listenerTable.use(this.#sockets.listeners, config.listeners, (listener) => neededBy(config.rules, listener));
    return workerSettings(config, budget, this.#listenerTable.settings);
  }

  #makeAcceptor(settings: WorkerSettings): NativeAcceptor {
    const acceptor = new this.#parts.native.Acceptor({
      region: this.#memory.buffer,
      layoutHash: LAYOUT_HASH,
      maxConnectionsPerWorker: settings.maxConnections,
      coalesceMicros: COALESCE_MICROS,
    });
    acceptor.configure(acceptorLimits(settings));
    return acceptor;
  }

  #makeSupervisor(settings: WorkerSettings, cpus: WorkerCpus): WorkerSupervisor {
    const { native, logger } = this.#parts;
    const dead = new DeadWorkers(this.#memory.region, () => this.#publisher.usedSlots);
    return new WorkerSupervisor({
      native,
      acceptor: this.#acceptor,
      sockets: this.#sockets,
      regionFd: this.#memory.fd,
      workers: this.#config.workers,
      cpus,
      settings,
      logger,
      totals: this.#totals,
      reclaim: (workerIndex) => dead.reclaim(workerIndex),
    });
  }

  #makeDatabases(): Databases {
    const { repository, geo, logger } = this.#parts;
    return new Databases({
      repository,
      geo,
      intervalMs: this.#config.dbReloadSecs * 1000,
      totals: this.#totals,
      placeable: () => this.#publisher.placeable(),
      useRouting: (snapshot) => this.#publish(snapshot),
      useGeo: (region) => {
        this.#supervisor.regions.use(NATIVE_REGION_KIND.GEO, region);
        this.#tellNames(Number(monotonicMicros()));
      },
      logger,
    });
  }
}

function wantedAddresses({ listeners }: ProxyConfig): readonly WantedAddress[] {
  return listeners.map(({ protocol, address }) => ({ ...address, protocol }));
}
