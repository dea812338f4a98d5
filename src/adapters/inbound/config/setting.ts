import type { ProxyConfig } from '../../../application/proxy-config.js';
import type { ValueParser } from './value-parser.js';

/** Settings with a variable of their own; `isDemo` is a flag alone, listeners and rules are structures of the file. */
export type SettingKey = Exclude<keyof ProxyConfig, 'isDemo' | 'listeners' | 'rules'>;

/** What defaults depend on. */
export interface HostFacts {
  readonly cpuCount: number;
  readonly isTerminal: boolean;
}

export interface DefaultFacts extends HostFacts {
  /** Whether something else than `listen` says where clients come to. */
  readonly hasOtherListeners: boolean;
  /** maxConnectionsTotal, 0 where it is wrong. */
  readonly maxConnectionsTotal: number;
  /** connectTimeoutMs, 0 where it is wrong or not given. */
  readonly connectTimeoutMs: number;
}

/** A second key for the file, from a system whose files are taken as they are. */
export interface SettingAlias<T> {
  readonly toml: `${string}.${string}`;
  /** Where its values are written otherwise, for instance in another unit. */
  readonly parser?: ValueParser<T>;
}

export interface Setting<T> {
  readonly variable: `EDGEPROXY_${string}`;
  /** `section.name` in the configuration file. */
  readonly toml: `${string}.${string}`;
  /** Only one of all the keys may be given. */
  readonly aliases?: readonly SettingAlias<T>[];
  /** Whether another value takes effect in the running proxy, or only in the next one that starts. */
  readonly appliesAt: 'reload' | 'start';
  readonly flag?: { readonly name: `--${string}`; readonly short?: `-${string}`; readonly argument: string };
  /** As written in the documentation; the value itself unless `resolveFallback` is there. */
  readonly fallback: string;
  readonly resolveFallback?: (facts: DefaultFacts) => string;
  readonly parser: ValueParser<T>;
  readonly description: string;
}

/** A part of the table of settings; SETTINGS misses none. */
export type SomeSettings = { readonly [K in SettingKey]?: Setting<ProxyConfig[K]> };

/** The relay takes timeouts as 32 bits of milliseconds, which end at 49 days. */
export const DAY_SECS = 86_400;
export const LONGEST_TIMEOUT_SECS = 30 * DAY_SECS;

/** How a value is written under that key of the file; under its own one, and in flags and variables, without `toml`. */
export function parserOf<T>(setting: Setting<T>, toml?: string): ValueParser<T> {
  return setting.aliases?.find((alias) => alias.toml === toml)?.parser ?? setting.parser;
}

export function tomlKeysOf({ toml, aliases = [] }: Setting<unknown>): readonly string[] {
  return [toml, ...aliases.map((alias) => alias.toml)];
}
