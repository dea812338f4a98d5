/** What is wrong with a structure, in sentences for people: file, line, key, what was found and what is expected. */
import type { TomlValue } from 'smol-toml';
import type { z } from 'zod';
import { nearestName } from '../nearest-name.js';
import type { TomlDocument } from '../toml-document.js';
import type { TomlPath } from '../toml-lines.js';
import { advice, kindOf, shown } from '../toml-value.js';

type Issue = z.core.$ZodIssue;

/** `base` is where the structure stands in the document. */
export function issueProblems(document: TomlDocument, base: TomlPath, issues: readonly Issue[]): string[] {
  return issues.flatMap((issue) => {
    const path: TomlPath = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? '' : part))];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey(document, path, key, issue.message.split(' ')));
    }
    return [problemAt(document, path, issue.message, reasonOf(issue))];
  });
}

export function problemAt(document: TomlDocument, path: TomlPath, expected: string, reason: string | null): string {
  const value = valueAt(document, path);
  const found = value === undefined ? 'nothing' : kindOf(value);
  const because = reason === null ? '' : ` (${reason})`;
  return `${placeOf(document, path)}: found ${found}${because}; expected ${expected}`;
}

/** File, line and key: `edgeproxy.toml:12: rules[0].backends[1].address`. */
export function placeOf(document: TomlDocument, path: TomlPath): string {
  return `${document.path}:${document.lineOf(path)}: ${nameOf(path)}`;
}

function unknownKey(document: TomlDocument, path: TomlPath, key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  const name = nearest === null ? null : nameOf([...path, nearest]);
  return `${placeOf(document, [...path, key])} is not a known key${advice(name)}`;
}

function nameOf(path: TomlPath): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name === '' ? shown(part) : `${name}.${shown(part)}`;
  }, '');
}

function valueAt(document: TomlDocument, path: TomlPath): TomlValue | undefined {
  let value: TomlValue | undefined = document.root;
  for (const part of path) {
    if (typeof value !== 'object' || value instanceof Date) return undefined;
    const entries: ReadonlyMap<string, TomlValue> = new Map(Object.entries(value));
    value = entries.get(String(part));
  }
  return value;
}

function reasonOf(issue: Issue): string | null {
  const reason: unknown = issue.code === 'custom' ? issue.params?.['reason'] : undefined;
  return typeof reason === 'string' ? reason : null;
}
