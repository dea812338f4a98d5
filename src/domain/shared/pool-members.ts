import type { Backend } from '../backend.js';

/** Who belongs to a pool beside the routing database: see ROUTE.POOL. */
export interface PoolMembers {
  /** Backends of rules, which are no rows of the database. */
  readonly inline: readonly { readonly backend: Backend; readonly pool: number }[];
  /** Of the database: by app. */
  readonly apps: ReadonlyMap<string, number>;
}

export const NO_POOLS: PoolMembers = { inline: [], apps: new Map() };

/** Both: of backends with the same id those of `newer`. Apps have the same pool in both. */
export function mergePools(older: PoolMembers, newer: PoolMembers): PoolMembers {
  const ids = new Set(newer.inline.map(({ backend }) => backend.id));
  const left = older.inline.filter(({ backend }) => !ids.has(backend.id));
  return { inline: [...newer.inline, ...left], apps: new Map([...older.apps, ...newer.apps]) };
}
