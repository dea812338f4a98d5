import { GeoTrieBuilder } from '../../../domain/geo/geo-trie-builder.js';
import type { GeoLimits } from './geo-limits.js';
import type { MmdbFile } from './mmdb-file.js';
import { openMmdb } from './mmdb-metadata.js';
import { RecordCountries } from './record-countries.js';
import type { NetworkPrefix } from './special-purpose-networks.js';
import { TreeWalk } from './tree-walk.js';

/**
 * Compiles a MaxMind DB into a geo region (see domain/geo/geo-layout.ts), in which the `excluded` networks have no
 * country. Blocks for as long as the file is large, some 0.2 to 0.5 s per million nodes. Throws EP_GEO_DAMAGED,
 * EP_GEO_NO_COUNTRY or EP_GEO_TOO_LARGE.
 */
export function compileMmdb(
  file: MmdbFile,
  limits: GeoLimits,
  excluded: readonly NetworkPrefix[] = [],
): SharedArrayBuffer {
  const database = openMmdb(file, limits);
  const countries = new RecordCountries(file, database, limits);
  const builder = new GeoTrieBuilder(limits.maxRegionBytes);
  const roots = new TreeWalk(file, database, countries, builder).roots();
  countries.expectCountries();
  for (const { family, bits } of excluded) roots[family] = builder.without(roots[family], bits);
  return builder.finish(roots.ipv4, roots.ipv6, {
    networks: countries.networks,
    buildEpochSecs: database.buildEpochSecs,
    databaseType: new TextEncoder().encode(database.databaseType),
  });
}
