import { open, type FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { GeoRegion, GeoSource } from '../../../application/ports/geo-source.js';
import { foreignMessage } from '../foreign-message.js';
import { geoError } from './geo-error.js';
import { makeGeoRegion, type RegionMaker } from './region-factory.js';

/** Made by the build. dist/ lies at the package root, four folders above this file in src/ as in dist/. */
export const EMBEDDED_GEO_PATH = fileURLToPath(new URL('../../../../dist/geo/embedded.geo', import.meta.url));

/** The database that comes with the program: compiled at build time, so that a start only copies bytes. Never changes. */
export class EmbeddedGeoSource implements GeoSource {
  readonly #maker: RegionMaker;
  readonly #path: string;
  #isLoaded = false;

  constructor(maker: RegionMaker, path = EMBEDDED_GEO_PATH) {
    this.#maker = maker;
    this.#path = path;
  }

  async loadIfChanged(): Promise<GeoRegion | null> {
    if (this.#isLoaded) return null;
    const region = await this.#load();
    this.#isLoaded = true;
    return region;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #load(): Promise<GeoRegion> {
    try {
      const file = await open(this.#path);
      try {
        const { size } = await file.stat();
        return await makeGeoRegion(this.#maker, size, (region) => readWhole(file, region));
      } finally {
        await file.close();
      }
    } catch (error) {
      const expected = 'the embedded database of this build (npm run build makes it)';
      throw geoError({ code: 'EP_GEO_DAMAGED', path: this.#path, found: foreignMessage(error), expected }, error);
    }
  }
}

async function readWhole(file: FileHandle, into: Uint8Array): Promise<void> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, filled);
    if (bytesRead === 0) throw new Error(`only ${filled} bytes of ${into.length}`);
    filled += bytesRead;
  }
}
