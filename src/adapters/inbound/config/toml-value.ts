/** Values and names of a TOML document, as messages show them. */
import type { TomlTable, TomlValue } from 'smol-toml';
import { quoteValue } from './quote-value.js';

export function kindOf(value: TomlValue): string {
  if (Array.isArray(value)) return value.some(isTable) ? 'an array of tables' : 'an array';
  if (isTable(value)) return 'a table';
  return value instanceof Date ? 'a date' : quoteValue(String(value));
}

export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

export function advice(name: string | null): string {
  return name === null ? '' : `; did you mean ${name}?`;
}

/** A name as it stands, where that is harmless. */
export function shown(name: string): string {
  return /^[\w-]{1,60}$/.test(name) ? name : quoteValue(name);
}
