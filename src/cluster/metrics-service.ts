/** The metrics endpoint. Its code is loaded only where it is switched on. */
import type { Exposition } from '../adapters/inbound/metrics/exposition.js';
import type { MetricsServer } from '../adapters/inbound/metrics/metrics-server.js';
import { foreignMessage } from '../adapters/outbound/foreign-message.js';
import { LimitedLog } from '../application/limited-log.js';
import { ProxyMetrics } from '../application/metrics/proxy-metrics.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { BindingTable } from '../domain/shared/binding-table.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { AwaitedAddress } from './awaited-address.js';
import { BindingCount } from './binding-count.js';
import { scheduleInBackground } from './schedule.js';
import type { Service, ServiceParts } from './service.js';

export class MetricsService implements Service {
  readonly #parts: ServiceParts;
  readonly #metrics: ProxyMetrics;
  readonly #bindings: BindingCount;
  readonly #log: LimitedLog;
  #config: ProxyConfig | null = null;
  #exposition: Exposition | null = null;
  #server: MetricsServer | null = null;
  #address: AwaitedAddress | null = null;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#metrics = new ProxyMetrics(parts.region, parts.countedRules);
    this.#bindings = new BindingCount(new BindingTable(parts.region), (count) => this.#metrics.useBindings(count));
    this.#log = new LimitedLog(parts.logger, scheduleInBackground);
  }

  configure(config: ProxyConfig): void {
    // Whether, where and at which path is settled at the start.
    this.#config = config;
    if (config.isMetricsEnabled) this.#bindings.useInterval(config.metricsCollectSecs * 1000);
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#metrics.useBackends(published);
  }

  /** Rejects with EP_METRICS_LISTEN where the address cannot be had. */
  async prepare(): Promise<void> {
    const config = this.#config;
    if (config?.isMetricsEnabled !== true) return;
    const [{ Exposition: LoadedExposition }, { MetricsServer: LoadedServer }] = await Promise.all([
      import('../adapters/inbound/metrics/exposition.js'),
      import('../adapters/inbound/metrics/metrics-server.js'),
    ]);
    const exposition = new LoadedExposition();
    this.#exposition = exposition;
    this.#server = new LoadedServer({
      path: config.metricsPath,
      contentType: exposition.contentType,
      render: () => {
        this.#parts.catchUpCounters();
        return exposition.render(this.#metrics.samples());
      },
      onFailure: (error) => this.#log.write('warn', { reason: foreignMessage(error) }, 'metrics endpoint failed'),
    });
    const { logger, isUpgrade } = this.#parts;
    const { metricsListen, metricsPath: path } = config;
    this.#address = new AwaitedAddress({
      server: this.#server,
      address: metricsListen,
      isUpgrade,
      onServed: ({ address, port }) => logger.info({ address, port, path }, 'metrics are served'),
      refusal: (cause) => listenError(config, cause),
      onGivenUp: (error) => logger.error({ error }, 'metrics cannot be served'),
    });
    await this.#address.open();
  }

  start(): void {
    // It answers from the moment that its socket is there.
  }

  stop(): void {
    this.#address?.stop();
    this.#bindings.stop();
    this.#server?.close();
    this.#exposition?.close();
    this.#log.close();
  }
}

function listenError({ metricsListen: { address, port } }: ProxyConfig, cause: unknown): EdgeproxyError {
  const message = `The metrics endpoint cannot listen on ${address} port ${port}: ${foreignMessage(cause)}.`;
  return new EdgeproxyError('EP_METRICS_LISTEN', message, { source: 'config', context: { address, port }, cause });
}
