/** The table of settings as commander options, and as the text that `--help` ends with. */
import { Option } from 'commander';
import { SETTINGS, SETTING_KEYS } from '../adapters/inbound/config/settings.js';
import type { Setting, SettingKey } from '../adapters/inbound/config/setting.js';
import type { FlagValues } from '../adapters/inbound/config/load-config.js';

/** Options as commander hands them over, by its camel-cased names. */
export type ParsedOptions = Readonly<Record<string, unknown>>;

type AnySetting = Setting<unknown>;

export function settingOptions(): Option[] {
  return flagSettings().map(([, setting, flag]) => {
    const fallback = `default ${setting.fallback}`;
    const names = flag.short === undefined ? flag.name : `${flag.short}, ${flag.name}`;
    return new Option(`${names} <${flag.argument}>`, `${setting.description} (${setting.variable}, ${fallback})`);
  });
}

/** What was typed, unparsed: the config adapter says what is wrong with it. */
export function flagValues(parsed: ParsedOptions): FlagValues {
  const values: Partial<Record<SettingKey, string>> = {};
  for (const [key, , flag] of flagSettings()) {
    const text = parsed[new Option(`${flag.name} <x>`).attributeName()];
    if (typeof text === 'string') values[key] = text;
  }
  return values;
}

export function environmentHelp(): string {
  const rows = SETTING_KEYS.map((key): AnySetting => SETTINGS[key]).filter(({ flag }) => flag === undefined);
  const width = Math.max(...rows.map(({ variable }) => variable.length));
  const lines = rows.map(({ variable, description, fallback }) => {
    return `  ${variable.padEnd(width)}  ${description} (default ${fallback})`;
  });
  return ['', 'Environment without a flag (docs/configuration.md has them all):', ...lines].join('\n');
}

function flagSettings(): [SettingKey, AnySetting, NonNullable<AnySetting['flag']>][] {
  return SETTING_KEYS.flatMap((key) => {
    const setting: AnySetting = SETTINGS[key];
    return setting.flag === undefined ? [] : [[key, setting, setting.flag]];
  });
}
