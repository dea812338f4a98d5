import type { GeoTable } from '../../src/domain/geo/geo-table.js';
import { parseIpAddress } from '../../src/domain/ip-address.js';
import { countryCode } from '../../src/domain/regions.js';
import type { RegionMaker } from '../../src/adapters/outbound/geo/region-factory.js';

/** Makes regions without the addon and knows which of their descriptors are open. */
export class FakeRegionMaker implements RegionMaker {
  readonly openFds = new Set<number>();
  #nextFd = 100;

  createRegion(_name: string, bytes: number): { fd: number; buffer: SharedArrayBuffer } {
    const fd = this.#nextFd++;
    this.openFds.add(fd);
    return { fd, buffer: new SharedArrayBuffer(bytes) };
  }

  closeFd(fd: number): void {
    if (!this.openFds.delete(fd)) throw new Error(`descriptor ${fd} is not open`);
  }
}

/** Country of an IP literal in a table, '' where there is none. */
export function lookUp(table: GeoTable, address: string): string {
  const [word0 = 0, word1 = 0, word2 = 0, word3 = 0] = parseIpAddress(address) ?? [];
  return countryCode(table.countryOf(word0, word1, word2, word3));
}
