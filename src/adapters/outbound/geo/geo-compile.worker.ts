/** The thread of a MmdbGeoSource: reads and compiles, so that neither delays the primary's loop. */
import type { FileIdentity } from './file-identity.js';
import { compileMmdb } from './compile-mmdb.js';
import { geoFailure, type GeoFailure } from './geo-error.js';
import type { GeoLimits } from './geo-limits.js';
import { readMmdbFile } from './mmdb-file.js';

export interface GeoCompileTask {
  readonly path: string;
  readonly limits: GeoLimits;
}

export interface CompiledGeo {
  readonly region: SharedArrayBuffer;
  /** Of the file as it was read. */
  readonly identity: FileIdentity;
}

export type GeoCompileResult = CompiledGeo | { readonly failure: GeoFailure };

export function compileGeo({ path, limits }: GeoCompileTask): GeoCompileResult {
  try {
    const file = readMmdbFile(path, limits.maxFileBytes);
    return { region: compileMmdb(file, limits), identity: file.identity };
  } catch (error) {
    return { failure: geoFailure(path, error) };
  }
}
