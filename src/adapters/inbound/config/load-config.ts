/**
 * Flags and environment become one frozen ProxyConfig. Every problem is collected, so that a user corrects a
 * configuration once and not once per mistake.
 */
import type { ProxyConfig } from '../../../application/proxy-config.js';
import { nearestName } from './nearest-name.js';
import { quoteValue } from './quote-value.js';
import { DEBUG_VARIABLE, SETTINGS, SETTING_KEYS } from './settings.js';
import type { HostFacts, Setting, SettingKey } from './settings.js';
import { UNAVAILABLE_FEATURES, unavailableProblem } from './unavailable-features.js';
import { onOff } from './value-parser.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags as typed, by the setting they belong to. */
export type FlagValues = Readonly<Partial<Record<SettingKey, string>>>;

export interface ConfigInput {
  readonly env: Environment;
  readonly flags: FlagValues;
  readonly isDemo: boolean;
  readonly host: HostFacts;
}

/** A wrong value is an expected outcome: sentences for people, each naming the variable or flag. */
export type ConfigResult =
  | { readonly isValid: true; readonly config: ProxyConfig; readonly warnings: readonly string[] }
  | { readonly isValid: false; readonly problems: readonly string[]; readonly warnings: readonly string[] };

type Values = { -readonly [K in SettingKey]?: ProxyConfig[K] };
type CompleteValues = { readonly [K in SettingKey]: ProxyConfig[K] };

const PREFIX = 'EDGEPROXY_';

/** Precedence: flag, environment, default. A variable set to nothing counts as unset. */
export function loadConfig(input: ConfigInput): ConfigResult {
  const values: Values = {};
  const problems: string[] = [];
  for (const key of SETTING_KEYS) readSetting(key, input, values, problems);
  for (const feature of UNAVAILABLE_FEATURES) {
    const text = input.env[feature.variable] ?? '';
    const problem = text === '' ? null : unavailableProblem(feature, text);
    if (problem !== null) problems.push(problem);
  }
  const warnings = unknownVariables(input.env);
  if (!isComplete(values, problems)) return { isValid: false, problems, warnings };
  return { isValid: true, config: freeze({ ...values, isDemo: input.isDemo }), warnings };
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
  const { name, text } = textOf(key, setting, input);
  const parsed = setting.parser.parse(text);
  if (parsed.isValid) values[key] = parsed.value;
  else {
    const reason = parsed.reason === undefined ? '' : ` (${parsed.reason})`;
    problems.push(`${name}: ${quoteValue(text)} is not valid${reason}; expected ${setting.parser.expected}`);
  }
}

function textOf<T>(key: SettingKey, setting: Setting<T>, input: ConfigInput): { name: string; text: string } {
  const flag = input.flags[key];
  if (flag !== undefined) return { name: setting.flag?.name ?? key, text: flag };
  if (key === 'logLevel' && isDebugSet(input.env)) return { name: DEBUG_VARIABLE, text: 'debug' };
  const variable = input.env[setting.variable] ?? '';
  if (variable !== '') return { name: setting.variable, text: variable };
  return { name: setting.variable, text: setting.resolveFallback?.(input.host) ?? setting.fallback };
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
