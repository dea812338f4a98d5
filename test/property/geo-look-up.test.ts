import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compileMmdb } from '../../src/adapters/outbound/geo/compile-mmdb.js';
import { DEFAULT_GEO_LIMITS } from '../../src/adapters/outbound/geo/geo-limits.js';
import { readMmdbFile, type MmdbFile } from '../../src/adapters/outbound/geo/mmdb-file.js';
import { openMmdb } from '../../src/adapters/outbound/geo/mmdb-metadata.js';
import { recordCountry } from '../../src/adapters/outbound/geo/record-country.js';
import { SearchTree } from '../../src/adapters/outbound/geo/search-tree.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { NO_COUNTRY } from '../../src/domain/geo/geo-layout.js';
import { GeoTable } from '../../src/domain/geo/geo-table.js';
import { formatIpAddress } from '../../src/domain/ip-address.js';
import { COUNTRIES } from '../../src/domain/shared/layout.js';
import { fc } from '../support/fast-check.js';
import { treeOf, writeMmdb } from '../support/geo-mmdb-writer.js';
import { lookUp } from '../support/geo-regions.js';

type Words = readonly [number, number, number, number];

const DATA = fileURLToPath(new URL('../../../shared/data/mmdb/', import.meta.url));
const GOOD = ['GeoLite2-Country-Test.mmdb', 'GeoIP2-Country-Test.mmdb', 'GeoLite2-City-Test.mmdb'].map(
  (name) => DATA + name,
);
const EMBEDDED = ['', '-ipv4', '-ipv6'].map((suffix) =>
  createRequire(import.meta.url).resolve(
    `@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country${suffix}.mmdb`,
  ),
);
const MAPPED = 0xffff;

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const ipv4 = word.map((last): Words => [0, 0, MAPPED, last]);
const ipv6 = fc.tuple(word, word, word, word).map((words): Words => words);

describe('a compiled database', () => {
  for (const path of [...GOOD, ...EMBEDDED]) {
    it(`answers like the reader does: ${path.slice(path.lastIndexOf('/') + 1)}`, () => {
      const file = readMmdbFile(path, DEFAULT_GEO_LIMITS.maxFileBytes);
      const database = openMmdb(file, DEFAULT_GEO_LIMITS);
      const table = new GeoTable(compileMmdb(file, DEFAULT_GEO_LIMITS));
      const inNetworks = ipv6.map((bits) => descend(file, bits));
      let found = 0;
      fc.assert(
        fc.property(fc.oneof(ipv4, ipv6, inNetworks, inNetworks), (address) => {
          const country = table.countryOf(...address);
          if (country !== NO_COUNTRY) found++;
          const isIpv6 = address[2] !== MAPPED || address[0] !== 0 || address[1] !== 0;
          // The reader would look an IPv6 address up among IPv4 ones where there are no others.
          const record = isIpv6 && database.addressBits === 32 ? null : database.reader.get(literal(address));
          assert.equal(country, recordCountry(record), literal(address));
        }),
        { numRuns: 5000 },
      );
      assert.ok(found > 300, `only ${found} of 5000 addresses had a country`);
    });
  }

  it('gives every address the last network written for it', () => {
    const network = fc.oneof(
      fc.tuple(ipv4, fc.integer({ min: 1, max: 32 }), fc.constant(4 as const)),
      fc.tuple(ipv6, fc.integer({ min: 1, max: 128 }), fc.constant(6 as const)),
    );
    const database = fc.record({
      networks: fc.array(network, { minLength: 1, maxLength: 40 }),
      recordSize: fc.constantFrom(24 as const, 28 as const, 32 as const),
    });
    fc.assert(
      fc.property(database, fc.array(fc.oneof(ipv4, ipv6)), ({ networks, recordSize }, others) => {
        const codes = networks.map((_, index) => String.fromCharCode(65 + (index % 26), 65 + Math.floor(index / 26)));
        const nodes = treeOf(
          networks.map(([address, length], data) => ({ network: `${formatIpAddress(...address)}/${length}`, data })),
          6,
        );
        const bytes = writeMmdb({ nodes, data: codes.map((code) => ({ country_code: code })), recordSize });
        const table = new GeoTable(compileMmdb({ path: 'random', bytes, identity: '' }, DEFAULT_GEO_LIMITS));
        for (const address of [...networks.map(([base]) => base), ...others]) {
          const last = networks.findLastIndex(([base, length, family]) =>
            isWithin(address, base, family === 4 ? 96 + length : length),
          );
          assert.equal(lookUp(table, formatIpAddress(...address)), codes[last] ?? '', literal(address));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a corrupted database', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 8 });

  for (const path of GOOD) {
    const { bytes } = readMmdbFile(path, DEFAULT_GEO_LIMITS.maxFileBytes);
    const atTail = fc
      .tuple(fc.nat({ max: 400 }), fc.integer({ min: 1, max: 255 }))
      .map(([back, flip]) => [bytes.length - 1 - back, flip] as const);

    it(`is refused, or answers within bounds: ${path.slice(DATA.length)}`, () => {
      fc.assert(
        fc.property(
          fc.oneof(flips, fc.array(atTail, { minLength: 1, maxLength: 3 })),
          fc.array(ipv6),
          (changes, addresses) => {
            expectBounded(flipped(bytes, changes), addresses);
          },
        ),
        { numRuns: 150 },
      );
    });

    it(`is refused, or answers within bounds, cut anywhere: ${path.slice(DATA.length)}`, () => {
      fc.assert(
        fc.property(fc.nat({ max: bytes.length }), fc.nat({ max: 600 }), (from, length) => {
          expectBounded(bytes.subarray(0, from), []);
          expectBounded(Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]), []);
        }),
        { numRuns: 50 },
      );
    });
  }

  it('never makes a look-up throw or leave its bounds when the region itself is overwritten', () => {
    const file = readMmdbFile(GOOD[0] ?? '', DEFAULT_GEO_LIMITS.maxFileBytes);
    const region = Buffer.from(new Uint8Array(compileMmdb(file, DEFAULT_GEO_LIMITS)));
    fc.assert(
      fc.property(flips, fc.array(fc.oneof(ipv4, ipv6), { minLength: 20 }), (changes, addresses) => {
        const shared = new SharedArrayBuffer(region.length);
        Buffer.from(shared).set(flipped(region, changes));
        expectAnswers(() => new GeoTable(shared), addresses, /^EP_GEO_REGION$/);
      }),
      { numRuns: 500 },
    );
  });
});

function expectBounded(bytes: Buffer, addresses: readonly Words[]): void {
  const file = { path: 'corrupted', bytes, identity: '' };
  expectAnswers(() => new GeoTable(compileMmdb(file, DEFAULT_GEO_LIMITS)), addresses, /^EP_GEO_/);
}

function expectAnswers(open: () => GeoTable, addresses: readonly Words[], refusal: RegExp): void {
  let table: GeoTable;
  try {
    table = open();
  } catch (error) {
    assert.ok(error instanceof EdgeproxyError, String(error));
    assert.match(error.code, refusal);
    return;
  }
  for (const address of addresses) {
    const country = table.countryOf(...address);
    assert.ok(country >= NO_COUNTRY && country < COUNTRIES);
  }
}

function flipped(bytes: Buffer, changes: readonly (readonly [number, number])[]): Buffer {
  const copy = Buffer.from(bytes);
  for (const [at, flip] of changes) copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ flip;
  return copy;
}

/** An address in a network that has data: follows `bits` down the tree, but turns away from where there is none. */
function descend(file: MmdbFile, bits: Words): Words {
  const { nodeCount, recordBits, addressBits } = openMmdb(file, DEFAULT_GEO_LIMITS);
  const tree = new SearchTree(file.bytes, recordBits);
  const address: [number, number, number, number] = addressBits === 32 ? [0, 0, MAPPED, bits[3]] : [...bits];
  const start = 128 - addressBits;
  for (let node = 0, depth = start; depth < 128 && node < nodeCount; depth++) {
    const at = depth >> 5;
    const mask = 2 ** (31 - (depth & 31));
    let side: 0 | 1 = Math.floor((address[at] ?? 0) / mask) % 2 === 1 ? 1 : 0;
    if (tree.record(node, side) === nodeCount) {
      address[at] = (address[at] ?? 0) + (side === 0 ? mask : -mask);
      side = side === 0 ? 1 : 0;
    }
    node = tree.record(node, side);
  }
  return address;
}

function isWithin(address: Words, base: Words, bits: number): boolean {
  const bitsOf = (words: Words): string => words.map((part) => part.toString(2).padStart(32, '0')).join('');
  return bitsOf(address).startsWith(bitsOf(base).slice(0, bits));
}

/** For the reader: IPv4 where it is mapped, else all eight groups, because the reader misreads `::1.2.3.4`. */
function literal(address: Words): string {
  if (address[0] === 0 && address[1] === 0 && address[2] === MAPPED) return formatIpAddress(...address);
  return address.flatMap((part) => [(part >>> 16).toString(16), (part & 0xffff).toString(16)]).join(':');
}
