import type { GeoRegion } from '../../../application/ports/geo-source.js';
import { GeoTable } from '../../../domain/geo/geo-table.js';
import type { NativeAddon } from '../native/native-addon.js';
import { describeRegion } from './describe-region.js';

/** The part of the addon that makes memfd-backed regions. */
export type RegionMaker = Pick<NativeAddon, 'createRegion' | 'closeFd'>;

/**
 * A new region of that size, filled by `fill` and checked. Rejects with what the addon or `fill` failed with, or with
 * EP_GEO_REGION where the bytes are no geo region; nothing stays open then.
 */
export async function makeGeoRegion(
  maker: RegionMaker,
  bytes: number,
  fill: (region: Uint8Array) => void | Promise<void>,
): Promise<GeoRegion> {
  const { fd, buffer } = maker.createRegion('edgeproxy-geo', bytes);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) maker.closeFd(fd);
    isOpen = false;
  };
  try {
    await fill(new Uint8Array(buffer));
    new GeoTable(buffer);
    return { fd, buffer, description: describeRegion(buffer), close };
  } catch (error) {
    close();
    throw error;
  }
}
