/** What RLIMIT_NOFILE allows a configuration: raised as far as it goes, then shared out. */
import { MAX_API_CONNECTIONS } from '../adapters/inbound/api/api-limits.js';
import { MAX_METRICS_CONNECTIONS } from '../adapters/inbound/metrics/metrics-limits.js';
import type { NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { Logger } from '../application/ports/logger.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { mostDescriptors } from '../domain/overload/shedding.js';
import { fitDescriptors, primaryDescriptors, type DescriptorBudget } from './descriptor-budget.js';

/** The endpoint's socket and who asks it. */
const METRICS_DESCRIPTORS = 1 + MAX_METRICS_CONNECTIONS;
const API_DESCRIPTORS = 1 + MAX_API_CONNECTIONS;

/** The descriptors without which the primary cannot run with this configuration. */
export function neededByPrimary({ accept, listeners, workers, ...config }: ProxyConfig): number {
  const perWorker = accept === 'reuseport' ? listeners : listeners.filter(({ protocol }) => protocol === 'udp');
  const sockets = listeners.length + perWorker.length * (workers - 1);
  const metrics = config.isMetricsEnabled ? METRICS_DESCRIPTORS : 0;
  return primaryDescriptors(workers, sockets) + metrics + (config.isApiEnabled ? API_DESCRIPTORS : 0);
}

interface Report {
  readonly fileLimit: number;
  readonly wanted: { readonly maxConnections: number; readonly maxPipes: number };
  readonly used: DescriptorBudget;
}

export class FileLimit {
  readonly #native: NativeAddon;
  readonly #logger: Logger;
  #reported = '';
  #report: Report | null = null;

  constructor(native: NativeAddon, logger: Logger) {
    this.#native = native;
    this.#logger = logger;
  }

  /** What each worker may have; throws EP_FILE_LIMIT where the limit is too low for any. */
  fit(config: ProxyConfig): DescriptorBudget {
    const { maxConnections, maxPipes, isPoolEnabled, workers } = config;
    const { hard } = this.#native.raiseFileLimit();
    // Below the share at which workers shed: a full one leaves clients in the queue of the listener, it resets none.
    const usable = Math.min(hard, mostDescriptors(hard, config.overloadDescriptorsPercent));
    const udp = config.listeners.filter(({ protocol }) => protocol === 'udp').length;
    const isUdpOnly = udp === config.listeners.length;
    // Each worker has a socket of its own for each of those.
    const budget = fitDescriptors(usable - udp, { maxConnections, maxPipes, isPoolEnabled, isUdpOnly });
    if (budget.maxConnections < 1) throw fileLimitError(hard, 'a single connection');
    const needed = neededByPrimary(config);
    if (hard < needed) throw fileLimitError(hard, `${workers} workers, which need ${needed}`);
    this.#report = { fileLimit: hard, wanted: { maxConnections, maxPipes }, used: budget };
    return budget;
  }

  /** Warns where the last fit was less than wanted; at a reload again only where something about it is new. */
  report(): void {
    const fit = JSON.stringify(this.#report);
    if (this.#report?.used.isReduced === true && fit !== this.#reported) {
      this.#logger.warn(this.#report, 'RLIMIT_NOFILE is too low for MAX_CONNECTIONS and MAX_PIPES; using what fits');
    }
    this.#reported = fit;
  }
}

function fileLimitError(limit: number, what: string): EdgeproxyError {
  return new EdgeproxyError('EP_FILE_LIMIT', `RLIMIT_NOFILE is ${limit}: too low for ${what}.`, { source: 'config' });
}
