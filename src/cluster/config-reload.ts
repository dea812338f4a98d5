/**
 * Takes another configuration into force while the proxy runs: reads flags, environment and file again, refuses what is
 * wrong with all that is wrong about it, and applies the rest in place.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigSource } from '../adapters/inbound/config/config-source.js';
import type { ConfigResult } from '../adapters/inbound/config/load-config.js';
import type { Setting, SettingKey } from '../adapters/inbound/config/setting.js';
import { SETTINGS, SETTING_KEYS } from '../adapters/inbound/config/settings.js';
import type { Logger } from '../application/ports/logger.js';
import type { ReloadOutcome } from '../application/ports/reloader.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { structureChanges } from './structure-changes.js';

export interface ConfigReloadOptions {
  readonly source: Pick<ConfigSource, 'load'>;
  /** What the proxy was started with. */
  readonly config: ProxyConfig;
  /** Takes it into force; rejects with an EdgeproxyError where it cannot be, and has changed nothing then. */
  readonly apply: (config: ProxyConfig) => Promise<void>;
  readonly logger: Logger;
}

/** Of a list; of a longer one its length is logged. */
const MOST_LOGGED_ENTRIES = 64;

type ValidConfig = Extract<ConfigResult, { isValid: true }>;

/** Names and values, as they are logged. */
type Changes = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

export class ConfigReload {
  readonly #options: ConfigReloadOptions;
  #inForce: ProxyConfig;
  #running: Promise<ReloadOutcome> | null = null;
  /** The reload that was asked for during the running one. */
  #following: Promise<ReloadOutcome> | null = null;
  #isStopped = false;

  constructor(options: ConfigReloadOptions) {
    this.#options = options;
    this.#inForce = options.config;
  }

  /** Resolves when the configuration is in force or what is wrong with it is in the log. One at a time. */
  reload(): Promise<ReloadOutcome> {
    if (this.#running === null) {
      this.#running = this.#reloadOnce().finally(() => (this.#running = null));
      return this.#running;
    }
    // The one under way may have read the file before the change that the caller wants to see.
    this.#following ??= this.#running.then(() => {
      this.#following = null;
      return this.reload();
    });
    return this.#following;
  }

  /** The drain begins. Idempotent. */
  stop(): void {
    this.#isStopped = true;
  }

  async #reloadOnce(): Promise<ReloadOutcome> {
    const { source, logger } = this.#options;
    try {
      const result = await source.load();
      if (this.#isStopped) return { isApplied: false, problems: ['the proxy is draining'] };
      for (const warning of result.warnings) logger.warn({}, warning);
      if (result.isValid) return await this.#take(this.#watchedStill(result), maskedKeys(result));
      return this.#refuse(result.problems);
    } catch (error) {
      if (error instanceof EdgeproxyError) return this.#refuse([error.message], { code: error.code, ...error.context });
      logger.error({ error }, 'the configuration cannot be reloaded; the old one stays in force');
      return { isApplied: false, problems: [] };
    }
  }

  /** Half a file may lack the key, too: what was watched is watched until somebody says otherwise. */
  #watchedStill({ config, given }: ValidConfig): ProxyConfig {
    if (config.isConfigWatchEnabled || !this.#inForce.isConfigWatchEnabled || given.has('isConfigWatchEnabled'))
      return config;
    const { toml } = SETTINGS.isConfigWatchEnabled;
    this.#options.logger.info({}, `${toml} is gone: the file is watched still; ${toml} = false ends that`);
    return { ...config, isConfigWatchEnabled: true };
  }

  async #take(wanted: ProxyConfig, masked: object): Promise<ReloadOutcome> {
    const { apply, logger } = this.#options;
    const config = { ...wanted, ...startSettings(this.#inForce) };
    const changes = { ...changesBetween(this.#inForce, config), ...structureChanges(this.#inForce, config) };
    const waiting = changesBetween(config, wanted);
    if (Object.keys(changes).length > 0) {
      await apply(config);
      this.#inForce = config;
      logger.info({ changes, ...masked }, 'configuration reloaded');
    } else logger.info(masked, 'configuration reloaded: nothing has changed that applies at a reload');
    if (Object.keys(waiting).length > 0) {
      logger.warn({ changes: waiting }, 'these settings keep their old values until the next start');
    }
    return { isApplied: true, changed: Object.keys(changes), waiting: Object.keys(waiting) };
  }

  #refuse(problems: readonly string[], context: Readonly<Record<string, unknown>> = {}): ReloadOutcome {
    const { logger } = this.#options;
    for (const problem of problems) logger.error(context, problem);
    logger.error({ problems: problems.length }, 'the configuration is wrong; the old one stays in force');
    return { isApplied: false, problems };
  }
}

/** For the log, where there are any: without it nothing explains why a change of the file changes nothing. */
function maskedKeys({ masked }: ValidConfig): object {
  if (masked.size === 0) return {};
  return { masked: Object.fromEntries([...masked].map(([key, by]) => [SETTINGS[key].toml, by])) };
}

function startSettings(config: ProxyConfig): Partial<ProxyConfig> {
  const kept = SETTING_KEYS.filter((key) => SETTINGS[key].appliesAt === 'start');
  return Object.fromEntries(kept.map((key) => [key, config[key]]));
}

function changesBetween(one: ProxyConfig, other: ProxyConfig): Changes {
  const changed = SETTING_KEYS.filter((key: SettingKey) => !isDeepStrictEqual(one[key], other[key]));
  return Object.fromEntries(
    changed.map((key) => [SETTINGS[key].toml, { from: loggable(key, one), to: loggable(key, other) }]),
  );
}

/** As users write it. A list of networks may have a hundred thousand entries. */
function loggable(key: SettingKey, config: ProxyConfig): unknown {
  const value = config[key];
  const { parser }: Setting<unknown> = SETTINGS[key];
  if (parser.format !== undefined) return parser.format(value);
  return Array.isArray(value) && value.length > MOST_LOGGED_ENTRIES ? `${value.length} entries` : value;
}
