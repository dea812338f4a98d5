import { DATABASE_TYPE_BYTES, GEO_HEADER } from '../../../domain/geo/geo-layout.js';

/** Type, build date and size of a geo region, for the log. */
export function describeRegion(region: SharedArrayBuffer): string {
  const header = new Uint32Array(region, 0, GEO_HEADER.DATABASE_TYPE);
  const type = Buffer.from(
    region,
    GEO_HEADER.DATABASE_TYPE * Uint32Array.BYTES_PER_ELEMENT,
    DATABASE_TYPE_BYTES,
  ).toString();
  // The type is foreign text: nothing of it may move the cursor of a terminal.
  const name = type.replace(/\0+$/, '').replace(/[^ -~]/g, '?');
  const built = new Date((header[GEO_HEADER.BUILD_EPOCH] ?? 0) * 1000).toISOString().slice(0, 10);
  return `${name}, built ${built}, ${header[GEO_HEADER.NETWORKS] ?? 0} networks`;
}
