/**
 * Flags, environment and configuration file become one frozen ProxyConfig. Every problem is collected, so that a user corrects a
 * configuration once and not once per mistake.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfig } from '../../../application/proxy-config.js';
import { apiProblems } from './api-problems.js';
import type { FileEntry, FileSettings } from './file-settings.js';
import { listenerProblems, listenersOf } from './listeners-of.js';
import { nearestName } from './nearest-name.js';
import { quoteValue } from './quote-value.js';
import { ruleWarnings } from './rule-warnings.js';
import { DEBUG_VARIABLE, SETTINGS, SETTING_KEYS } from './settings.js';
import { parserOf, type DefaultFacts, type HostFacts, type Setting, type SettingKey } from './setting.js';
import type { FileStructures } from './structures/read-structures.js';
import { UNAVAILABLE_FEATURES, unavailableProblem } from './unavailable-features.js';
import { onOff, type Parsed } from './value-parser.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags as typed, by the setting they belong to. */
export type FlagValues = Readonly<Partial<Record<SettingKey, string>>>;

export interface ConfigInput {
  readonly env: Environment;
  readonly flags: FlagValues;
  readonly isDemo: boolean;
  readonly host: HostFacts;
  readonly file?: FileSettings;
}

/** A wrong value is an expected outcome: sentences for people, each naming the variable, the flag, or file, line and key. */
export type ConfigResult =
  | {
      readonly isValid: true;
      readonly config: ProxyConfig;
      readonly warnings: readonly string[];
      /** What a flag, a variable or the file says; the rest has its default. */
      readonly given: ReadonlySet<SettingKey>;
      /** Where the file says another thing than the flag or the variable that goes before it: the name of that one. */
      readonly masked: ReadonlyMap<SettingKey, string>;
    }
  | { readonly isValid: false; readonly problems: readonly string[]; readonly warnings: readonly string[] };

type Origins = Pick<Extract<ConfigResult, { isValid: true }>, 'given' | 'masked'>;

type Values = { -readonly [K in SettingKey]?: ProxyConfig[K] };
type CompleteValues = { readonly [K in SettingKey]: ProxyConfig[K] };

const PREFIX = 'EDGEPROXY_';
const NO_STRUCTURES: FileStructures = { hasListeners: false, listeners: [], rules: [], problems: [], warnings: [] };

/** Precedence: flag, environment, file, default. A variable set to nothing counts as unset. */
export function loadConfig(input: ConfigInput): ConfigResult {
  const values: Values = {};
  const problems: string[] = [];
  for (const key of SETTING_KEYS) readSetting(key, input, values, problems);
  const structures = input.file?.structures ?? NO_STRUCTURES;
  problems.push(...(input.file?.problems ?? []), ...structures.problems);
  for (const feature of UNAVAILABLE_FEATURES) {
    const text = input.env[feature.variable] ?? '';
    const problem = text === '' ? null : unavailableProblem(feature, text);
    if (problem !== null) problems.push(problem);
  }
  const warnings = [...unknownVariables(input.env), ...structures.warnings];
  problems.push(...listenerProblems(values, structures.listeners), ...apiProblems(values));
  if (!isComplete(values, problems)) return { isValid: false, problems, warnings };
  const listeners = listenersOf(values, structures.listeners);
  const rules = structures.rules.map(({ rule }) => rule);
  warnings.push(...ruleWarnings(structures.rules, listeners));
  const config = freeze({ ...values, isDemo: input.isDemo, listeners, rules });
  return { isValid: true, config, warnings, ...originsOf(input, values) };
}

/** All variables that mean something, in this version or a later one. */
export function knownVariables(): readonly string[] {
  return [
    ...SETTING_KEYS.map((key) => SETTINGS[key].variable),
    DEBUG_VARIABLE,
    ...UNAVAILABLE_FEATURES.flatMap(({ variable, parameters }) => [
      variable,
      ...parameters.map((parameter) => PREFIX + parameter),
    ]),
  ];
}

// K ties the setting's parser to the value's place.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
function readSetting<K extends SettingKey>(key: K, input: ConfigInput, values: Values, problems: string[]): void {
  const setting: Setting<ProxyConfig[K]> = SETTINGS[key];
  // What the file says must be right even where a flag or a variable goes before it.
  for (const source of sourcesOf(key, setting, input)) {
    const parser = parserOf(setting, source.toml);
    const parsed = parser.parse(source.text);
    if (parsed.isValid) values[key] = parsed.value;
    else {
      const reason = parsed.reason === undefined ? '' : ` (${parsed.reason})`;
      problems.push(
        `${source.name}: ${parser.isSecret === true ? 'the value' : quoteValue(source.text)} is not valid${reason}; expected ${parser.expected}`,
      );
    }
  }
}

/** Where the setting's value may be taken from; the last one counts. */
function sourcesOf<T>(key: SettingKey, setting: Setting<T>, input: ConfigInput): readonly FileEntry[] {
  const sources = [input.file?.entries.get(key), overrideOf(key, setting, input)].filter(
    (source) => source !== undefined,
  );
  if (sources.length > 0) return sources;
  const text = setting.resolveFallback?.(factsOf(input)) ?? setting.fallback;
  return [{ name: setting.variable, text }];
}

function overrideOf(key: SettingKey, setting: Setting<unknown>, input: ConfigInput): FileEntry | undefined {
  const flag = input.flags[key];
  if (flag !== undefined) return { name: setting.flag?.name ?? key, text: flag };
  if (key === 'logLevel' && isDebugSet(input.env)) return { name: DEBUG_VARIABLE, text: 'debug' };
  const variable = input.env[setting.variable] ?? '';
  return variable === '' ? undefined : { name: setting.variable, text: variable };
}

function factsOf(input: ConfigInput): DefaultFacts {
  const udp = givenValue('udpListen', input);
  // Whoever names others wants no default. Those that are wrong count: a default beside them would be a problem more.
  const hasUdp = udp !== undefined && (!udp.isValid || udp.value.length > 0);
  const total = givenValue('maxConnectionsTotal', input);
  const connectTimeout = givenValue('connectTimeoutMs', input);
  return {
    ...input.host,
    hasOtherListeners: hasUdp || (input.file?.structures?.hasListeners ?? false),
    maxConnectionsTotal: total?.isValid === true ? total.value : 0,
    connectTimeoutMs: connectTimeout?.isValid === true ? connectTimeout.value : 0,
  };
}

/** What a flag, a variable or the file says; the first of them counts. */
function givenValue<K extends SettingKey>(key: K, input: ConfigInput): Parsed<ProxyConfig[K]> | undefined {
  const setting: Setting<ProxyConfig[K]> = SETTINGS[key];
  const given = overrideOf(key, setting, input) ?? input.file?.entries.get(key);
  return given === undefined ? undefined : parserOf(setting, given.toml).parse(given.text);
}

function originsOf(input: ConfigInput, values: CompleteValues): Origins {
  const given = new Set<SettingKey>();
  const masked = new Map<SettingKey, string>();
  for (const key of SETTING_KEYS) {
    const setting: Setting<unknown> = SETTINGS[key];
    const entry = input.file?.entries.get(key);
    const override = overrideOf(key, setting, input);
    if (entry !== undefined || override !== undefined) given.add(key);
    if (entry === undefined || override === undefined) continue;
    const inFile = parserOf(setting, entry.toml).parse(entry.text);
    if (inFile.isValid && !isDeepStrictEqual(inFile.value, values[key])) masked.set(key, override.name);
  }
  return { given, masked };
}

function isDebugSet(env: Environment): boolean {
  const text = env[DEBUG_VARIABLE] ?? '';
  const parsed = onOff.parse(text);
  return text !== '' && (!parsed.isValid || parsed.value);
}

/** Warnings, not errors: environments are shared, and an older version must start with a newer one's variables. */
function unknownVariables(env: Environment): string[] {
  const known = knownVariables();
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => {
      const nearest = nearestName(
        name.slice(PREFIX.length),
        known.map((other) => other.slice(PREFIX.length)),
      );
      const advice = nearest === null ? '' : `; did you mean ${PREFIX}${nearest}?`;
      return `${quoteValue(name)} is not a known variable${advice}`;
    });
}

function isComplete(values: Values, problems: readonly string[]): values is CompleteValues {
  return problems.length === 0 && SETTING_KEYS.every((key) => key in values);
}

function freeze(config: ProxyConfig): ProxyConfig {
  const listen = config.listen.map((address) => Object.freeze(address));
  return Object.freeze({ ...config, listen: Object.freeze(listen) });
}
