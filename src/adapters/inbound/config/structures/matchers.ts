/** [rules.matcher] */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { MatcherConfig } from '../../../../application/rule-config.js';
import type { MatcherTable } from './matcher-schema.js';
import { plainFault } from './plain-value.js';
import type { TomlPath } from '../toml-lines.js';

/** `key` is the path of what is wrong, from the matcher on. */
export interface MatcherFault {
  readonly key: TomlPath;
  readonly expected: string;
}

export function matcherOf(table: MatcherTable | undefined): MatcherConfig | MatcherFault {
  if (table === undefined) return { type: 'any' };
  switch (table.type) {
    case 'port':
      return table;
    case 'port_range':
      if (table.end < table.start) return { key: ['end'], expected: `a port not below start (${table.start})` };
      return table;
    case 'sni':
      return sniOf(table);
    case 'custom':
      return customOf(table);
    default:
      return networksOf(table);
  }
}

function sniOf({
  pattern,
  patterns,
  names,
  alpn,
}: Extract<MatcherTable, { type: 'sni' }>): MatcherConfig | MatcherFault {
  const all = [pattern, patterns, names].flatMap((list) => list ?? []);
  if (all.length === 0 && alpn === undefined) return { key: ['names'], expected: 'names, or alpn' };
  return { type: 'sni', names: [...new Set(all)], alpn: alpn ?? [] };
}

function networksOf({
  type,
  cidr,
  cidrs,
}: Extract<MatcherTable, { type: 'source_ip' | 'destination_ip' }>): MatcherConfig | MatcherFault {
  if (cidr === undefined && cidrs === undefined) return { key: ['cidrs'], expected: 'at least one network' };
  return { type, cidrs: [...new Set([...(cidr ?? []), ...(cidrs ?? [])])] };
}

function customOf({ file, plugin, config }: Extract<MatcherTable, { type: 'custom' }>): MatcherConfig | MatcherFault {
  const path = file ?? plugin;
  if (path === undefined) return { key: ['file'], expected: 'a file name' };
  if (file !== undefined && plugin !== undefined) return { key: ['plugin'], expected: 'file or plugin, not both' };
  const fault = plainFault(config);
  if (fault !== null) return { key: ['config', ...fault.path], expected: fault.expected };
  const read = readOrFault(resolve(path));
  if ('expected' in read) return { key: [file === undefined ? 'plugin' : 'file'], expected: read.expected };
  return { type: 'custom', file: resolve(path), revision: read.revision, config: structuredClone(config ?? {}) };
}

/** A file that changes under its name is another function. */
function readOrFault(path: string): { readonly revision: string } | { readonly expected: string } {
  try {
    return { revision: createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16) };
  } catch (error) {
    const { code = 'an error' } = error as NodeJS.ErrnoException;
    return { expected: `a file that can be read (${path}: ${code})` };
  }
}
