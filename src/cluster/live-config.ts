import type { ConfigSource } from '../adapters/inbound/config/config-source.js';
import type { ProcessLogger } from '../adapters/outbound/log/create-logger.js';
import type { ReloadOutcome } from '../application/ports/reloader.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { ConfigReload } from './config-reload.js';
import { ConfigWatch } from './config-watch.js';
import { rotationOf } from './open-log-file.js';

export interface LiveConfigOptions {
  readonly source: ConfigSource;
  /** What the proxy was started with. */
  readonly config: ProxyConfig;
  readonly apply: (config: ProxyConfig) => Promise<void>;
  readonly logger: ProcessLogger;
}

/** The configuration of a running proxy: reloaded when asked to and, where that is wanted, when its file changes. */
export class LiveConfig {
  readonly #options: LiveConfigOptions;
  readonly #reload: ConfigReload;
  readonly #watch: ConfigWatch;

  constructor(options: LiveConfigOptions) {
    this.#options = options;
    const { source, config, logger } = options;
    this.#reload = new ConfigReload({ source, config, apply: (next) => this.#apply(next), logger });
    this.#watch = new ConfigWatch(source, () => void this.reload());
    this.#useWatch(config);
  }

  /** Resolves when the configuration is in force or what is wrong with it is in the log. */
  reload(): Promise<ReloadOutcome> {
    return this.#reload.reload();
  }

  /** The drain begins. Idempotent. */
  stop(): void {
    this.#watch.stop();
    this.#reload.stop();
  }

  async #apply(config: ProxyConfig): Promise<void> {
    await this.#options.apply(config);
    this.#options.logger.useLevel(config.logLevel);
    this.#options.logger.useRotation(rotationOf(config));
    this.#useWatch(config);
  }

  #useWatch({ isConfigWatchEnabled, configWatchIntervalSecs }: ProxyConfig): void {
    const { source, logger } = this.#options;
    if (isConfigWatchEnabled && source.path === null) {
      logger.warn({}, 'CONFIG_WATCH_ENABLED without --config: there is no file to watch');
    }
    const isWatched = isConfigWatchEnabled && source.path !== null;
    this.#watch.useInterval(isWatched ? configWatchIntervalSecs * 1000 : null);
  }
}
