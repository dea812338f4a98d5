/** The settings that a TOML document holds, as text for the same parsers as flags and variables. */
import type { TomlValue } from 'smol-toml';
import { nearestName } from './nearest-name.js';
import { parserOf, tomlKeysOf, type SettingKey } from './setting.js';
import { SETTINGS, SETTING_KEYS } from './settings.js';
import { STRUCTURES, headerOf } from './structure-names.js';
import type { FileStructures } from './structures/read-structures.js';
import type { TomlDocument } from './toml-document.js';
import { advice, isTable, kindOf, shown } from './toml-value.js';

export interface FileEntry {
  /** File, line and key, as messages name it. */
  readonly name: string;
  readonly text: string;
  /** Of the file; not there for flags and variables. */
  readonly toml?: string;
}

export interface FileSettings {
  readonly entries: ReadonlyMap<SettingKey, FileEntry>;
  /** Sentences for people: what is not known, and values that no setting can have. */
  readonly problems: readonly string[];
  /** Only where there are any. */
  readonly structures?: FileStructures;
}

const KEYS: ReadonlyMap<string, SettingKey> = new Map(
  SETTING_KEYS.flatMap((key) => tomlKeysOf(SETTINGS[key]).map((toml) => [toml, key])),
);
const SECTIONS: readonly string[] = [...new Set([...KEYS.keys()].map((name) => partsOf(name)[0]))];

export function fileSettings(document: TomlDocument): FileSettings {
  const entries = new Map<SettingKey, FileEntry>();
  const problems: string[] = [];
  const sections = Object.entries(document.root).filter(([section]) => !isStructure(section));
  for (const [section, table] of sections) {
    const where = `${document.path}:${document.lineOf([section])}`;
    if (!SECTIONS.includes(section)) {
      problems.push(unknownSection(where, section, table));
      continue;
    }
    if (!isTable(table)) {
      problems.push(`${where}: ${section}: found ${kindOf(table)}; expected a table [${section}]`);
      continue;
    }
    for (const [name, value] of Object.entries(table)) readKey(document, section, name, value, entries, problems);
  }
  // A program that writes the file in place empties it first, and its defaults are nobody's wish.
  if (entries.size === 0 && problems.length === 0 && sections.length === Object.keys(document.root).length)
    problems.push(`${document.path}: holds no settings; expected at least one key`);
  return { entries, problems };
}

function readKey(
  document: TomlDocument,
  section: string,
  name: string,
  value: TomlValue,
  entries: Map<SettingKey, FileEntry>,
  problems: string[],
): void {
  const where = `${document.path}:${document.lineOf([section, name])}`;
  const toml = `${section}.${name}`;
  const key = KEYS.get(toml);
  if (key === undefined) {
    problems.push(unknownKey(where, section, name));
    return;
  }
  const given = entries.get(key);
  if (given?.toml !== undefined) {
    problems.push(`${where}: ${toml}: found beside ${given.toml}, which is the same; expected one of the two`);
    return;
  }
  const parser = parserOf<unknown>(SETTINGS[key], toml);
  const text = textOf(value, parser.isList === true);
  if (text === null) problems.push(`${where}: ${toml}: found ${kindOf(value)}; expected ${parser.expected}`);
  else entries.set(key, { name: `${where}: ${toml}`, text, toml });
}

/** What the value would be in a variable; null where it could not be there. */
function textOf(value: TomlValue, isList: boolean): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (!isList || !Array.isArray(value)) return null;
  const texts = value.map((element) => textOf(element, false));
  return texts.every((text) => text !== null && !text.includes(',')) ? texts.join(',') : null;
}

function unknownSection(where: string, section: string, value: TomlValue): string {
  if (isTable(value) || (Array.isArray(value) && value.some(isTable))) {
    const nearest = nearestName(section, [...SECTIONS, ...STRUCTURES]);
    return `${where}: [${shown(section)}] is not a known section${advice(nearest === null ? null : headerOf(nearest))}`;
  }
  // A key above the first header, where none can be.
  const full = [...KEYS.keys()].find((name) => partsOf(name)[1] === section);
  return `${where}: ${shown(section)} is not a known key${advice(full ?? null)}`;
}

function unknownKey(where: string, section: string, name: string): string {
  const own = [...KEYS.keys()].map(partsOf).filter(([other]) => other === section);
  const nearest = nearestName(
    name,
    own.map(([, key]) => key),
  );
  const elsewhere = [...KEYS.keys()].find((full) => partsOf(full)[1] === name) ?? null;
  return `${where}: ${section}.${shown(name)} is not a known key${advice(nearest === null ? elsewhere : `${section}.${nearest}`)}`;
}

function partsOf(full: string): [section: string, key: string] {
  const dot = full.indexOf('.');
  return [full.slice(0, dot), full.slice(dot + 1)];
}

function isStructure(section: string): boolean {
  return STRUCTURES.some((name) => name === section);
}
