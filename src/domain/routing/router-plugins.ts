/** The routers that a rule can have, by their names: those of routers/all.ts. */
import type { RouterOptions, RouterPlugin, RouterSettings } from './router.js';
import * as plugins from './routers/all.js';

export const ROUTER_PLUGINS: readonly RouterPlugin<RouterSettings>[] = Object.values(plugins);

/** Of a rule that names none. */
export const DEFAULT_ROUTER = plugins.geoRouter.name;

/** The key of every router's `config`: whether a client comes back to its backend. */
export const AFFINITY_KEY = 'affinity';

/** What a rule has to know of its router beside its name; plain values, as they go to the workers. */
export interface RouterChoice {
  readonly options: RouterSettings;
  readonly hasAffinity: boolean;
}

export function routerPlugin(name: string): RouterPlugin<RouterSettings> | undefined {
  return ROUTER_PLUGINS.find((plugin) => plugin.name === name);
}

/** Checks `config = { … }` of a router with that plug-in; unknown keys are the caller's to find (see `keys`). */
export function parseRouter(plugin: RouterPlugin<RouterSettings>, config: RouterSettings): RouterOptions<RouterChoice> {
  const { [AFFINITY_KEY]: affinity = plugin.hasAffinity, ...own } = config;
  const parsed = plugin.parse(own);
  const problems = [...(parsed.isValid ? [] : parsed.problems)];
  if (typeof affinity !== 'boolean') problems.push({ key: AFFINITY_KEY, expected: 'expected true or false' });
  if (!parsed.isValid || typeof affinity !== 'boolean') return { isValid: false, problems };
  return { isValid: true, options: { options: parsed.options, hasAffinity: affinity } };
}
