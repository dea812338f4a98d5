/**
 * The admin API. Its code is loaded only where it is switched on. During an upgrade the old version still has the address:
 * the new one asks for it until the old one, which drains, has let go of it.
 */
import { hostname } from 'node:os';
import type { ApiServer } from '../adapters/inbound/api/api-server.js';
import { foreignMessage } from '../adapters/outbound/foreign-message.js';
import { LimitedLog } from '../application/limited-log.js';
import { LiveView } from '../application/live-view.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { BindingTable } from '../domain/shared/binding-table.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { BindingCount } from './binding-count.js';
import { LiveDirectories } from './live-directories.js';
import { scheduleInBackground } from './schedule.js';
import type { Service, ServiceParts } from './service.js';

const RETRY_MS = 200;
const BINDINGS_MS = 10_000;

export class ApiService implements Service {
  readonly #parts: ServiceParts;
  readonly #view: LiveView;
  readonly #directories: LiveDirectories;
  readonly #bindings: BindingCount;
  readonly #log: LimitedLog;
  #config: ProxyConfig | null = null;
  #server: ApiServer | null = null;
  #cancelRetry: () => void = () => undefined;
  #isStopped = false;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    const { region, supervisor, control, logger } = parts;
    this.#view = new LiveView({
      region,
      version: control.version,
      hostname: hostname(),
      popRegion: () => this.#config?.region ?? '',
      uptimeSecs: () => process.uptime(),
      isDraining: () => this.#isStopped,
      isChecked: () => this.#config?.isHealthCheckEnabled === true,
      listeners: () => control.bound(),
      places: () => supervisor.places,
      events: () => control.events.latest,
    });
    this.#directories = new LiveDirectories(parts);
    this.#bindings = new BindingCount(new BindingTable(region), (count) => this.#view.useBindings(count));
    this.#log = new LimitedLog(logger, scheduleInBackground);
  }

  configure(config: ProxyConfig): void {
    // Whether, where and with which token is settled at the start.
    this.#config = config;
    this.#server?.useRateLimit(config.apiRateLimit);
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#view.useBackends(published);
    this.#directories.useBackends(published);
  }

  /** Rejects with EP_API_LISTEN where the address cannot be had. */
  async prepare(): Promise<void> {
    const config = this.#config;
    if (config?.isApiEnabled !== true) return;
    const [{ ApiServer: LoadedServer }, { allEndpoints }, { readLivePage }] = await Promise.all([
      import('../adapters/inbound/api/api-server.js'),
      import('../adapters/inbound/api/routes/all-endpoints.js'),
      import('../adapters/inbound/api/live-page.js'),
    ]);
    const { connections, bindings } = this.#directories;
    this.#server = new LoadedServer({
      token: config.apiToken,
      requestsPerSec: config.apiRateLimit,
      version: this.#parts.control.version,
      endpoints: allEndpoints({ view: this.#view, connections, bindings }),
      pages: await readLivePage(),
      onFailure: (error) => this.#log.write('warn', { reason: foreignMessage(error) }, 'the admin API failed'),
    });
    await this.#listen(config);
  }

  start(): void {
    // It answers from the moment that its socket is there.
    if (this.#config?.isApiEnabled === true) this.#bindings.useInterval(BINDINGS_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry();
    this.#bindings.stop();
    this.#server?.close();
    this.#log.close();
  }

  async #listen(config: ProxyConfig): Promise<void> {
    if (this.#server === null) return;
    const { logger, isUpgrade } = this.#parts;
    try {
      const { address, port } = await this.#server.listen(config.apiListen);
      if (this.#isStopped) this.#server.close();
      else logger.info({ address, port }, 'the admin API is served');
    } catch (cause) {
      const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || !isUpgrade) throw listenError(config, cause);
      this.#cancelRetry = scheduleInBackground(() => void this.#listenAgain(config), RETRY_MS);
    }
  }

  async #listenAgain(config: ProxyConfig): Promise<void> {
    try {
      await this.#listen(config);
    } catch (error) {
      this.#parts.logger.error({ error }, 'the admin API cannot be served');
    }
  }
}

function listenError({ apiListen: { address, port } }: ProxyConfig, cause: unknown): EdgeproxyError {
  const message = `The admin API cannot listen on ${address} port ${port}: ${foreignMessage(cause)}.`;
  return new EdgeproxyError('EP_API_LISTEN', message, { source: 'config', context: { address, port }, cause });
}
