/** What options and configurations of plug-ins may hold: what goes to other processes as it is. */
import type { TomlPath } from '../toml-lines.js';

export interface PlainFault {
  readonly path: TomlPath;
  readonly expected: string;
}

const EXPECTED = 'strings, finite numbers of at most 53 bits, true, false, arrays and tables';
const DEEPEST = 32;

/** Where a value of TOML is not plain; null where it is. */
export function plainFault(value: unknown, path: TomlPath = []): PlainFault | null {
  if (typeof value === 'string' || typeof value === 'boolean' || value === undefined) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return null;
  if (typeof value !== 'object' || value === null || value instanceof Date || path.length > DEEPEST) {
    return { path, expected: EXPECTED };
  }
  const isArray = Array.isArray(value);
  for (const [key, entry] of Object.entries(value)) {
    const fault = plainFault(entry, [...path, isArray ? Number(key) : key]);
    if (fault !== null) return fault;
  }
  return null;
}
