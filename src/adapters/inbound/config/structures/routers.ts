/** [routers.NAME]: each a plug-in with its options, which the plug-in checks. */
import type { TomlValue } from 'smol-toml';
import type { RouterConfig } from '../../../../application/rule-config.js';
import { AFFINITY_KEY, ROUTER_PLUGINS, parseRouter, routerPlugin } from '../../../../domain/routing/router-plugins.js';
import { nearestName } from '../nearest-name.js';
import type { TomlDocument } from '../toml-document.js';
import type { TomlPath } from '../toml-lines.js';
import { advice, isTable, shown } from '../toml-value.js';
import { issueProblems, placeOf, problemAt } from './issues.js';
import { plainFault } from './plain-value.js';
import { routerSchema, type RouterTable } from './router-schema.js';
import { id } from './structure-values.js';

const MOST_ROUTERS = 1000;
const PLUGIN_NAMES = ROUTER_PLUGINS.map(({ name }) => name);

export class Routers {
  readonly problems: string[] = [];
  readonly #document: TomlDocument;
  /** null = there, and wrong. */
  readonly #byName = new Map<string, RouterConfig | null>();
  readonly #used = new Set<string>();

  constructor(document: TomlDocument, value: TomlValue | undefined) {
    this.#document = document;
    if (value === undefined) return;
    if (!isTable(value)) {
      this.problems.push(problemAt(document, ['routers'], 'tables [routers.NAME]', null));
      return;
    }
    const names = Object.keys(value);
    if (names.length > MOST_ROUTERS) {
      this.problems.push(
        problemAt(document, ['routers'], `at most ${MOST_ROUTERS} routers`, `${names.length} of them`),
      );
      return;
    }
    for (const name of names) this.#byName.set(name, this.#read(name, value[name]));
  }

  /** What a rule's `router` at that path means; null where it means nothing, which is a problem then, or where that is wrong. */
  resolve(name: string, path: TomlPath): RouterConfig | null {
    this.#used.add(name);
    const own = this.#byName.get(name);
    if (own !== undefined) return own;
    if (routerPlugin(name) !== undefined) return this.#options({ plugin: name, config: {} }, name, path);
    const known = [...new Set([...this.#byName.keys(), ...PLUGIN_NAMES])];
    this.#refuseName(path, name, known, 'a [routers.NAME] or one of');
    return null;
  }

  /** Sentences about routers that no rule uses. */
  get warnings(): readonly string[] {
    return [...this.#byName.keys()]
      .filter((name) => !this.#used.has(name))
      .map((name) => `${placeOf(this.#document, ['routers', name])}: no rule uses this router`);
  }

  #read(name: string, value: TomlValue | undefined): RouterConfig | null {
    const path = ['routers', name];
    if (!id.parse(name).isValid) {
      this.problems.push(`${placeOf(this.#document, path)}: the name is not valid; expected ${id.expected}`);
    }
    const parsed = routerSchema.safeParse(value);
    if (parsed.success) return this.#options(parsed.data, name, path);
    this.problems.push(...issueProblems(this.#document, path, parsed.error.issues));
    return null;
  }

  #options({ plugin: pluginName, config }: RouterTable, name: string, path: TomlPath): RouterConfig | null {
    const plugin = routerPlugin(pluginName);
    if (plugin === undefined) {
      this.#refuseName([...path, 'plugin'], pluginName, PLUGIN_NAMES, 'one of');
      return null;
    }
    const before = this.problems.length;
    const keys = [...plugin.keys, AFFINITY_KEY];
    const at: TomlPath = [...path, 'config'];
    for (const key of Object.keys(config)) if (!keys.includes(key)) this.#unknownOption(at, key, keys);
    const fault = plainFault(config);
    if (fault !== null) this.problems.push(problemAt(this.#document, [...at, ...fault.path], fault.expected, null));
    const parsed = fault === null ? parseRouter(plugin, structuredClone(config)) : null;
    if (parsed?.isValid === false) {
      for (const { key, expected } of parsed.problems) {
        this.problems.push(problemAt(this.#document, [...at, key], expected.replace(/^expected /, ''), null));
      }
    }
    if (this.problems.length > before || parsed?.isValid !== true) return null;
    return { name, plugin: pluginName, ...parsed.options };
  }

  #unknownOption(path: TomlPath, key: string, keys: readonly string[]): void {
    const hint = advice(nearestName(key, keys)) || `; expected one of ${keys.join(', ')}`;
    this.problems.push(`${placeOf(this.#document, [...path, key])} is not a known key${hint}`);
  }

  #refuseName(path: TomlPath, name: string, known: readonly string[], expected: string): void {
    const nearest = nearestName(name, known);
    const hint = advice(nearest === null ? null : shown(nearest));
    this.problems.push(problemAt(this.#document, path, `${expected} ${PLUGIN_NAMES.join(', ')}`, null) + hint);
  }
}
