/** What a reload changes about listeners and rules, by their names: what they hold is long, and may be secret. */
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfig } from '../application/proxy-config.js';

export interface NamedChanges {
  readonly added?: Names;
  readonly changed?: Names;
  readonly removed?: Names;
  /** Where the order of those that stay is another one. */
  readonly isReordered?: true;
}

/** Of a longer list its length is logged. */
type Names = readonly string[] | string;

const MOST_NAMES = 64;

interface Named {
  readonly name: string;
}

/** No key for what has not changed. */
export function structureChanges(one: ProxyConfig, other: ProxyConfig): Readonly<Record<string, NamedChanges>> {
  // The order of listeners means nothing.
  const listeners = { ...changesOf(ownListeners(one), ownListeners(other)), isReordered: undefined };
  const rules = changesOf(one.rules, other.rules);
  return withoutNothing({ listeners: withoutNothing(listeners), rules: withoutNothing(rules) });
}

/** Those of settings are told of as settings; they are the first ones. */
function ownListeners({ listeners, listen, udpListen }: ProxyConfig): readonly Named[] {
  return listeners.slice(listen.length + udpListen.length);
}

function changesOf(one: readonly Named[], other: readonly Named[]) {
  const before = new Map(one.map((entry) => [entry.name, entry]));
  const after = new Map(other.map((entry) => [entry.name, entry]));
  const names = { before: [...before.keys()], after: [...after.keys()] };
  const [stayed, stays] = [
    names.before.filter((name) => after.has(name)),
    names.after.filter((name) => before.has(name)),
  ];
  return {
    added: shown(names.after.filter((name) => !before.has(name))),
    changed: shown(stays.filter((name) => !isDeepStrictEqual(before.get(name), after.get(name)))),
    removed: shown(names.before.filter((name) => !after.has(name))),
    isReordered: isDeepStrictEqual(stayed, stays) ? undefined : (true as const),
  };
}

function shown(names: readonly string[]): Names | undefined {
  if (names.length === 0) return undefined;
  return names.length > MOST_NAMES ? `${names.length} of them` : names;
}

function withoutNothing<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const isSomething = ([, value]: [string, unknown]): boolean =>
    value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(record).filter(isSomething)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
