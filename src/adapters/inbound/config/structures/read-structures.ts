/** What the file has beyond settings: listeners, routers and rules. Loads zod: imported only where a file has one of them. */
import type { TomlDocument } from '../toml-document.js';
import { readListeners, type FileListener } from './listeners.js';
import { Routers } from './routers.js';
import { readRules, type FileRule } from './rules.js';

export interface FileStructures {
  /** Also where what it says of them is wrong. */
  readonly hasListeners: boolean;
  readonly listeners: readonly FileListener[];
  readonly rules: readonly FileRule[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

export function readStructures(document: TomlDocument): FileStructures {
  const { root } = document;
  const problems: string[] = [];
  const listeners = readListeners(document, root['listeners'], problems);
  const routers = new Routers(document, root['routers']);
  const rules = readRules(document, root['rules'], routers, problems);
  const hasListeners = root['listeners'] !== undefined;
  problems.push(...routers.problems);
  return { hasListeners, listeners, rules, problems: inOrder(problems), warnings: routers.warnings };
}

/** By line: as people go through the file to correct it. */
function inOrder(problems: readonly string[]): string[] {
  const lineOf = (problem: string): number => Number(/:(\d+): /.exec(problem)?.[1]);
  return [...problems].sort((one, other) => lineOf(one) - lineOf(other));
}
