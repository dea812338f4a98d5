// Compiles the public country database into dist/geo/embedded.geo, the bytes that a start copies into shared memory.
// Runs after tsc, whose output does the work; does nothing while the result is newer than what it is made of.
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the compiler uses beside its own folders. */
const SHARED_SOURCES = [
  'adapters/outbound/foreign-message.ts',
  'domain/access-log/access-layout.ts',
  'domain/edgeproxy-error.ts',
  'domain/ip-address.ts',
  'domain/regions.ts',
  'domain/shared/batch-layout.ts',
  'domain/shared/layout.ts',
];
const DATABASE = '@ip-location-db/geo-whois-asn-country-mmdb';
const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(
  dirname(createRequire(import.meta.url).resolve(`${DATABASE}/package.json`)),
  'geo-whois-asn-country.mmdb',
);
const target = join(root, 'dist/geo/embedded.geo');

if (newest(inputs()) >= modifiedMs(target)) {
  const { compileMmdb } = await import('../dist/adapters/outbound/geo/compile-mmdb.js');
  const { DEFAULT_GEO_LIMITS } = await import('../dist/adapters/outbound/geo/geo-limits.js');
  const { readMmdbFile } = await import('../dist/adapters/outbound/geo/mmdb-file.js');
  const { SPECIAL_PURPOSE_NETWORKS } = await import('../dist/adapters/outbound/geo/special-purpose-networks.js');
  const file = readMmdbFile(source, DEFAULT_GEO_LIMITS.maxFileBytes);
  const region = new Uint8Array(compileMmdb(file, DEFAULT_GEO_LIMITS, SPECIAL_PURPOSE_NETWORKS));
  mkdirSync(dirname(target), { recursive: true });
  // Renamed into place: a proxy that starts meanwhile reads the old bytes or the new ones.
  const unfinished = `${target}.${process.pid}`;
  writeFileSync(unfinished, region);
  renameSync(unfinished, target);
}

function inputs() {
  const folders = ['src/domain/geo', 'src/adapters/outbound/geo'].map((folder) => join(root, folder));
  const sources = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  return [source, fileURLToPath(import.meta.url), ...SHARED_SOURCES.map((name) => join(root, 'src', name)), ...sources];
}

function newest(paths) {
  return Math.max(...paths.map(modifiedMs));
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
