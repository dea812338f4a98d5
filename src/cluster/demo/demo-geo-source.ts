import { makeGeoRegion, type RegionMaker } from '../../adapters/outbound/geo/region-factory.js';
import type { GeoRegion, GeoSource } from '../../application/ports/geo-source.js';
import { leafRef, NO_COUNTRY_REF } from '../../domain/geo/geo-layout.js';
import { GeoTrieBuilder } from '../../domain/geo/geo-trie-builder.js';
import { parseIpAddress } from '../../domain/ip-address.js';
import { countryNumber } from '../../domain/regions.js';

/** Loopback networks that stand for countries: one machine can be a client from each of them. */
export const DEMO_NETWORKS = [
  { address: '127.0.1.0', country: 'BR', name: 'Brazil' },
  { address: '127.0.2.0', country: 'US', name: 'the US' },
  { address: '127.0.3.0', country: 'DE', name: 'Germany' },
] as const;
const PREFIX_BITS = 24;
const MAX_REGION_BYTES = 1 << 16;
const DATABASE_TYPE = 'edgeproxy demo';

interface Network {
  /** The first 24 bits of the address. */
  readonly prefix: number;
  readonly leaf: number;
}

/** The geo database of the demo: made in memory, never changes. */
export class DemoGeoSource implements GeoSource {
  readonly #maker: RegionMaker;
  #isLoaded = false;

  constructor(maker: RegionMaker) {
    this.#maker = maker;
  }

  async loadIfChanged(): Promise<GeoRegion | null> {
    if (this.#isLoaded) return null;
    this.#isLoaded = true;
    const compiled = new Uint8Array(compile());
    return makeGeoRegion(this.#maker, compiled.byteLength, (region) => region.set(compiled));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function compile(): SharedArrayBuffer {
  const builder = new GeoTrieBuilder(MAX_REGION_BYTES);
  const networks = DEMO_NETWORKS.map(({ address, country }) => ({
    prefix: (parseIpAddress(address)?.[3] ?? 0) >>> (32 - PREFIX_BITS),
    leaf: leafRef(countryNumber(country)),
  }));
  return builder.finish(buildTrie(builder, networks, PREFIX_BITS), NO_COUNTRY_REF, {
    networks: networks.length,
    buildEpochSecs: Math.floor(Date.now() / 1000),
    databaseType: new TextEncoder().encode(DATABASE_TYPE),
  });
}

/** The trie of these networks, which agree in all but their last `bitsLeft` bits. */
function buildTrie(builder: GeoTrieBuilder, networks: readonly Network[], bitsLeft: number): number {
  const [first] = networks;
  if (first === undefined) return NO_COUNTRY_REF;
  if (bitsLeft === 0) return first.leaf;
  const half = (bit: number): number => {
    const inside = networks.filter(({ prefix }) => ((prefix >>> (bitsLeft - 1)) & 1) === bit);
    return buildTrie(builder, inside, bitsLeft - 1);
  };
  return builder.pair(half(0), half(1));
}
