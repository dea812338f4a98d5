import type { GeoSource } from '../../../application/ports/geo-source.js';
import { EmbeddedGeoSource } from './embedded-geo-source.js';
import { MmdbGeoSource } from './mmdb-geo-source.js';
import type { RegionMaker } from './region-factory.js';

/** The source for `geoipPath` of the configuration: null is the embedded database. */
export function createGeoSource(geoipPath: string | null, maker: RegionMaker): GeoSource {
  return geoipPath === null ? new EmbeddedGeoSource(maker) : new MmdbGeoSource(geoipPath, maker);
}
