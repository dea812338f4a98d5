import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { compileMmdb } from '../../src/adapters/outbound/geo/compile-mmdb.js';
import { describeRegion } from '../../src/adapters/outbound/geo/describe-region.js';
import { DEFAULT_GEO_LIMITS } from '../../src/adapters/outbound/geo/geo-limits.js';
import { SPECIAL_PURPOSE_NETWORKS } from '../../src/adapters/outbound/geo/special-purpose-networks.js';
import { GEO_HEADER } from '../../src/domain/geo/geo-layout.js';
import { GeoTable } from '../../src/domain/geo/geo-table.js';
import {
  encodeValue,
  METADATA_MARKER,
  nodeAt,
  treeOf,
  withControl,
  writeMmdb,
  type MmdbNode,
  type MmdbSpec,
} from '../support/geo-mmdb-writer.js';
import { lookUp } from '../support/geo-regions.js';

const DATA = [
  { country: { iso_code: 'US' } },
  { country_code: 'DE' },
  { registered_country: { iso_code: 'JP' } },
  { continent: 'EU' },
];
const NETWORKS = [
  { network: '1.0.0.0/8', data: 0 },
  { network: '1.2.0.0/16', data: 1 },
  { network: '1.2.3.4/32', data: 2 },
  { network: '5.0.0.0/8', data: 3 },
];
const PATH = '/somewhere/test.mmdb';

describe('compileMmdb', () => {
  for (const recordSize of [24, 28, 32] as const) {
    for (const ipVersion of [4, 6] as const) {
      it(`reads an IPv${ipVersion} tree of ${recordSize}-bit records`, () => {
        const networks = ipVersion === 4 ? NETWORKS : [...NETWORKS, { network: '2001:db8::/33', data: 1 }];
        const table = compile({ nodes: treeOf(networks, ipVersion), data: DATA, ipVersion, recordSize });
        const expected = {
          '1.0.0.1': 'US',
          '1.2.0.1': 'DE',
          '1.2.3.4': 'JP',
          '1.2.3.5': 'DE',
          '5.0.0.1': '',
          '9.9.9.9': '',
          '2001:db8::1': ipVersion === 4 ? '' : 'DE',
          '2001:db8:8000::': '',
        };
        for (const [address, country] of Object.entries(expected))
          assert.equal(lookUp(table, address), country, address);
      });
    }
  }

  it('reads records whose value needs more than 24 bits', () => {
    for (const recordSize of [28, 32] as const) {
      const data = [Buffer.alloc(2 ** 24), ...DATA];
      const nodes: MmdbNode[] = [[{ data: 1 }, { data: 2 }]];
      const table = compile({ nodes, data, ipVersion: 4, recordSize });
      assert.deepEqual([lookUp(table, '1.1.1.1'), lookUp(table, '200.1.1.1')], ['US', 'DE'], `${recordSize} bits`);
    }
  });

  it('takes IPv4 from ::/96, also where one record above covers it all', () => {
    const table = compile({ nodes: treeOf([{ network: '::/64', data: 1 }], 6), data: DATA });
    assert.equal(lookUp(table, '1.2.3.4'), 'DE');
  });

  it('finds no IPv4 in a tree without', () => {
    const table = compile({ nodes: treeOf([{ network: '2001:db8::/32', data: 1 }], 6), data: DATA });
    assert.equal(lookUp(table, '1.2.3.4'), '');
    assert.equal(lookUp(table, '2001:db8::5'), 'DE');
  });

  it('follows aliases of the IPv4 tree', () => {
    const nodes = treeOf([...NETWORKS, { network: '2002::/16', data: 0 }], 6);
    // The last bit of 2002::/16 is 0: the left half of the node before it.
    const above = nodeAt(nodes, '2002::/15', 6);
    const ipv4 = nodeAt(nodes, '0.0.0.0/0', 6);
    const aliased = nodes.map(([left, right], index): MmdbNode => [index === above ? ipv4 : left, right]);
    const table = compile({ nodes: aliased, data: DATA });
    assert.equal(lookUp(table, '2002:102:304::1'), 'JP');
    assert.equal(lookUp(table, '2002:101::1'), 'US');
    assert.equal(lookUp(table, '1.2.3.4'), 'JP');
  });

  it('does not multiply subtrees that are shared at every level', () => {
    const nodes = Array.from({ length: 128 }, (_, i): MmdbNode =>
      i < 127 ? [i + 1, i + 1] : [{ data: 0 }, { data: 1 }],
    );
    // It would have no end.
    const region = compileMmdb(mmdbFile(writeMmdb({ nodes, data: DATA })), DEFAULT_GEO_LIMITS);
    assert.equal(new Int32Array(region)[GEO_HEADER.NODES], 32);
    assert.equal(lookUp(new GeoTable(region), '2001:db8::1'), 'DE');
  });

  it('describes the database for the log, without its control characters', () => {
    const spec = {
      nodes: treeOf(NETWORKS, 4),
      data: DATA,
      ipVersion: 4 as const,
      metadata: { database_type: 'A\x1b[2JB' },
    };
    const region = compileMmdb(mmdbFile(writeMmdb(spec)), DEFAULT_GEO_LIMITS);
    assert.match(describeRegion(region), /^A\?\[2JB, built 2023-11-14, \d+ networks$/);
  });

  it('leaves out networks that lie in no country where it is told to', () => {
    const bytes = writeMmdb({ nodes: [[{ data: 0 }, { data: 0 }]], data: DATA, ipVersion: 4 });
    const table = new GeoTable(compileMmdb(mmdbFile(bytes), DEFAULT_GEO_LIMITS, SPECIAL_PURPOSE_NETWORKS));
    const addresses = [
      '127.0.0.1',
      '10.9.8.7',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.0.1',
      '224.0.0.1',
      '255.255.255.255',
    ];
    for (const address of addresses) assert.equal(lookUp(table, address), '', address);
    for (const address of [
      '126.255.255.255',
      '128.0.0.0',
      '11.0.0.0',
      '172.32.0.0',
      '192.167.255.255',
      '223.255.255.255',
    ]) {
      assert.equal(lookUp(table, address), 'US', address);
    }
  });

  const sound: MmdbSpec = { nodes: treeOf(NETWORKS, 4), data: DATA, ipVersion: 4 };
  const chain = (length: number): MmdbNode[] =>
    Array.from({ length }, (_, i): MmdbNode => [i < length - 1 ? i + 1 : { data: 0 }, null]);
  const refusals: Record<string, { bytes: Buffer; code?: string; message: RegExp }> = {
    'a file without metadata': { bytes: Buffer.from('no database'), message: /found no metadata marker/ },
    'a gzip file': { bytes: gzipSync(writeMmdb(sound)), message: /found a gzip file/ },
    'metadata cut off': { bytes: writeMmdb(sound).subarray(0, -20), message: /\(metadata\)/ },
    'metadata that is no map': { bytes: Buffer.concat([METADATA_MARKER, encodeValue('x')]), message: /that is no map/ },
    'another version of the format': {
      bytes: withMetadata({ binary_format_major_version: 3 }),
      message: /binary_format_major_version 3/,
    },
    'a record size of 20': { bytes: withMetadata({ record_size: 20 }), message: /Unsupported record size/ },
    'IP version 5': { bytes: withMetadata({ ip_version: 5 }), message: /ip_version 5/ },
    'no nodes': { bytes: withMetadata({ node_count: 0 }), message: /node_count 0/ },
    'a node count that is text': { bytes: withMetadata({ node_count: 'many' }), message: /node_count many/ },
    'more nodes than the file has room for': {
      bytes: withMetadata({ node_count: 100_000 }),
      message: /a search tree of 100000 nodes/,
    },
    'more IPv6 nodes than the file has room for': {
      bytes: withMetadata({ node_count: 0xffff_ffff, ip_version: 6 }),
      message: /test\.mmdb: found /,
    },
    'a build time after 2106': {
      bytes: withMetadata({ build_epoch: 2n ** 40n }),
      message: /build_epoch 1099511627776/,
    },
    'a type that is no text': { bytes: withMetadata({ database_type: 5 }), message: /database_type 5/ },
    'a cycle': {
      bytes: writeMmdb({
        ...sound,
        nodes: [
          [1, null],
          [{ data: 0 }, 0],
        ],
      }),
      message: /node 0 below itself/,
    },
    'an IPv4 tree of 33 levels': { bytes: writeMmdb({ ...sound, nodes: chain(33) }), message: /at most 32 levels/ },
    'an IPv6 tree of 129 levels': {
      bytes: writeMmdb({ ...sound, nodes: chain(129), ipVersion: 6 }),
      message: /at most 128 levels/,
    },
    'a shared subtree too deep for one of its places': {
      bytes: writeMmdb({
        ...sound,
        nodes: [[2, 1], [2, null], ...chain(31).map(([left], i): MmdbNode => [i < 30 ? i + 3 : left, null])],
      }),
      message: /deeper than an address has bits/,
    },
    'a pointer into the separator': {
      bytes: writeMmdb({ ...sound, nodes: [[{ raw: 1 + 15 }, null]] }),
      message: /the record of 0\.0\.0\.0 at offset 21; expected one in the data section, 22 to /,
    },
    'a pointer behind the data': {
      bytes: writeMmdb({ ...sound, nodes: [[null, { raw: 5000 }]] }),
      message: /the record of 128\.0\.0\.0 at/,
    },
    'a record that runs into the metadata': {
      bytes: writeMmdb({ nodes: [[{ data: 0 }, null]], data: [withControl(2, 400, Buffer.from('abc'))] }),
      message: /runs past its section/,
    },
    'a database of something else': {
      bytes: writeMmdb({
        ...sound,
        data: DATA.map(() => ({ autonomous_system_number: 64_496 })),
        metadata: { database_type: 'ASN' },
      }),
      code: 'EP_GEO_NO_COUNTRY',
      message: /no country in any of its 4 records \(database type "ASN"\); expected country\.iso_code/,
    },
  };
  for (const [name, { bytes, code = 'EP_GEO_DAMAGED', message }] of Object.entries(refusals)) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => compileMmdb(mmdbFile(bytes), DEFAULT_GEO_LIMITS),
        (error: Error & { code?: string }) => {
          assert.match(error.message, message);
          assert.ok(error.message.startsWith(`geo database ${PATH}: found `));
          assert.equal(error.code, code);
          return true;
        },
      );
    });
  }

  it('refuses what exceeds a limit', () => {
    const file = mmdbFile(writeMmdb(sound));
    for (const limit of [{ maxNodes: 10 }, { maxRegionBytes: 200 }]) {
      assert.throws(
        () => compileMmdb(file, { ...DEFAULT_GEO_LIMITS, ...limit }),
        { code: 'EP_GEO_TOO_LARGE' },
        JSON.stringify(limit),
      );
    }
  });

  function withMetadata(metadata: MmdbSpec['metadata'] & object): Buffer {
    return writeMmdb({ ...sound, metadata });
  }
});

function compile(spec: MmdbSpec): GeoTable {
  return new GeoTable(compileMmdb(mmdbFile(writeMmdb(spec)), DEFAULT_GEO_LIMITS));
}

function mmdbFile(bytes: Buffer): { path: string; bytes: Buffer; identity: string } {
  return { path: PATH, bytes, identity: '' };
}
