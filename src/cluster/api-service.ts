/** The admin API and auto-discovery. Their code is loaded only where they are switched on. */
import { hostname } from 'node:os';
import type { ApiServer } from '../adapters/inbound/api/api-server.js';
import { foreignMessage } from '../adapters/outbound/foreign-message.js';
import { settledWithin } from '../adapters/outbound/settled-within.js';
import type { RegisteredBackends } from '../application/discovery/registered-backends.js';
import { LimitedLog } from '../application/limited-log.js';
import type { ListenAddress } from '../application/listener-config.js';
import { LiveView } from '../application/live-view.js';
import type { ProxyPhase } from '../application/ports/proxy-view.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { BindingTable } from '../domain/shared/binding-table.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { AwaitedAddress } from './awaited-address.js';
import { BindingCount } from './binding-count.js';
import { LiveDirectories } from './live-directories.js';
import { openDiscovery } from './open-discovery.js';
import { scheduleInBackground } from './schedule.js';
import type { Service, ServiceParts } from './service.js';

const BINDINGS_MS = 10_000;
/** For the last heartbeats, before the address is let go of. */
const SAVE_MS = 1_000;

export class ApiService implements Service {
  readonly #parts: ServiceParts;
  readonly #view: LiveView;
  readonly #live: LiveDirectories;
  readonly #bindings: BindingCount;
  readonly #log: LimitedLog;
  #config: ProxyConfig | null = null;
  #directory: RegisteredBackends | null = null;
  #server: ApiServer | null = null;
  /** Ids of the routing table, with those that wait for a place in it. */
  #known: ReadonlySet<string> | null = null;
  #address: AwaitedAddress | null = null;
  #phase: ProxyPhase = 'starting';
  #closed: Promise<void> = Promise.resolve();

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#view = this.#makeView();
    this.#live = new LiveDirectories(parts);
    this.#bindings = new BindingCount(new BindingTable(parts.region), (count) => this.#view.useBindings(count));
    this.#log = new LimitedLog(parts.logger, scheduleInBackground);
  }

  configure(config: ProxyConfig): void {
    // Whether, where and with which token is settled at the start.
    this.#config = config;
    this.#server?.useRateLimit(config.apiRateLimit);
    this.#directory?.useTtl(config.heartbeatTtlSecs);
  }

  useBackends(published: readonly PublishedBackend[], leftOut: readonly string[]): void {
    if (this.#config?.isApiEnabled !== true) return;
    this.#known = new Set([...published.map(({ backend }) => backend.id), ...leftOut]);
    this.#view.useBackends(published);
    this.#live.useBackends(published);
    this.#tellDirectory();
  }

  /** Rejects with EP_API_LISTEN where the address cannot be had. */
  async prepare(): Promise<void> {
    const config = this.#config;
    if (config?.isApiEnabled !== true) return;
    const [{ ApiServer: LoadedServer }, { allEndpoints }, { readLivePage }, directory] = await Promise.all([
      import('../adapters/inbound/api/api-server.js'),
      import('../adapters/inbound/api/routes/all-endpoints.js'),
      import('../adapters/inbound/api/live-page.js'),
      openDiscovery(config, this.#parts, this.#log),
    ]);
    this.#directory = directory;
    this.#tellDirectory();
    const { control } = this.#parts;
    const { connections, bindings } = this.#live;
    this.#server = new LoadedServer({
      token: config.apiToken,
      requestsPerSec: config.apiRateLimit,
      version: control.version,
      endpoints: allEndpoints({ view: this.#view, directory, connections, bindings, reloader: control.reloader }),
      pages: await readLivePage(),
      onFailure: (error) => this.#log.write('warn', { reason: foreignMessage(error) }, 'the admin API failed'),
    });
    this.#address = new AwaitedAddress({
      server: this.#server,
      address: config.apiListen,
      isUpgrade: this.#parts.isUpgrade,
      onServed: (bound, isLate) => this.#served(bound, isLate),
      refusal: (cause) => listenError(config, cause),
      onGivenUp: (error) => this.#parts.logger.error({ error }, 'the admin API cannot be served'),
    });
    await this.#address.open();
  }

  start(): void {
    this.#phase = 'serving';
    if (this.#config?.isApiEnabled !== true) return;
    this.#bindings.useInterval(BINDINGS_MS);
    this.#directory?.start();
  }

  stop(): void {
    if (this.#phase === 'draining') return;
    this.#phase = 'draining';
    this.#address?.stop();
    this.#bindings.stop();
    this.#closed = this.#close();
  }

  /** Resolves when everything of it is closed. */
  async close(): Promise<void> {
    await this.#closed;
  }

  /** The heartbeats first: a newer version that gets the address reads them. */
  async #close(): Promise<void> {
    if (this.#directory !== null) await settledWithin(this.#directory.stop(), SAVE_MS);
    this.#server?.close();
    this.#log.close();
  }

  async #served({ address, port }: ListenAddress, isLate: boolean): Promise<void> {
    this.#parts.logger.info({ address, port }, 'the admin API is served');
    // The old version has written what it had heard up to here.
    if (isLate) await this.#directory?.takeOver();
  }

  #makeView(): LiveView {
    const { region, supervisor, control, catchUpCounters } = this.#parts;
    return new LiveView({
      region,
      version: control.version,
      hostname: hostname(),
      popRegion: () => this.#config?.region ?? '',
      uptimeSecs: () => process.uptime(),
      phase: () => this.#phase,
      catchUpCounters,
      isChecked: () => this.#config?.isHealthCheckEnabled === true,
      listeners: () => control.bound(),
      places: () => supervisor.places,
      events: () => control.events.latest,
    });
  }

  #tellDirectory(): void {
    const known = this.#known;
    if (known !== null) this.#directory?.useBackends((id) => known.has(id));
  }
}

function listenError({ apiListen: { address, port } }: ProxyConfig, cause: unknown): EdgeproxyError {
  const message = `The admin API cannot listen on ${address} port ${port}: ${foreignMessage(cause)}.`;
  return new EdgeproxyError('EP_API_LISTEN', message, { source: 'config', context: { address, port }, cause });
}
