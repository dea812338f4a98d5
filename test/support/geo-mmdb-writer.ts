/** Writes MaxMind DB files, sound ones and such as no honest writer makes. */
import { parseIpAddress } from '../../src/domain/ip-address.js';

/** A Buffer is copied into the file as it is: for encodings that no value has. */
export type MmdbValue =
  string | number | bigint | boolean | Buffer | readonly MmdbValue[] | { readonly [key: string]: MmdbValue };

/** A node by its index, no data, a value of the data section by its index, or the bits of the record themselves. */
export type MmdbRecord = number | null | { readonly data: number } | { readonly raw: number };
export type MmdbNode = readonly [MmdbRecord, MmdbRecord];

export interface MmdbSpec {
  readonly nodes: readonly MmdbNode[];
  readonly data: readonly MmdbValue[];
  readonly ipVersion?: 4 | 6;
  readonly recordSize?: 24 | 28 | 32;
  /** Laid over the metadata that fits the rest. */
  readonly metadata?: Readonly<Record<string, MmdbValue>>;
}

export interface MmdbNetwork {
  /** `1.2.0.0/16` or `2001:db8::/32`; in an IPv6 tree, IPv4 lies at ::/96. */
  readonly network: string;
  readonly data: number;
}

export const METADATA_MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
const SEPARATOR_BYTES = 16;

export function writeMmdb({ nodes, data, ipVersion = 6, recordSize = 24, metadata = {} }: MmdbSpec): Buffer {
  const offsets: number[] = [];
  let end = 0;
  const values = data.map((value) => {
    const bytes = encodeValue(value);
    offsets.push(end);
    end += bytes.length;
    return bytes;
  });
  const recordOf = (record: MmdbRecord): number => {
    if (typeof record === 'number') return record;
    if (record === null) return nodes.length;
    return 'raw' in record ? record.raw : nodes.length + SEPARATOR_BYTES + (offsets[record.data] ?? 0);
  };
  const tree = nodes.map(([left, right]) => encodeNode(recordOf(left), recordOf(right), recordSize));
  const fields = {
    node_count: nodes.length,
    record_size: recordSize,
    ip_version: ipVersion,
    database_type: 'Test-Country',
    languages: ['en'],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000n,
    description: { en: 'written by a test' },
    ...metadata,
  };
  return Buffer.concat([...tree, Buffer.alloc(SEPARATOR_BYTES), ...values, METADATA_MARKER, encodeValue(fields)]);
}

/** The nodes of a tree with these networks; of two that overlap, the later one wins. */
export function treeOf(networks: readonly MmdbNetwork[], ipVersion: 4 | 6): MmdbNode[] {
  const nodes: [MmdbRecord, MmdbRecord][] = [[null, null]];
  for (const { network, data } of networks) {
    const bits = prefixBits(network, ipVersion);
    let node = 0;
    for (const [depth, bit] of bits.entries()) {
      const halves = nodes[node];
      if (halves === undefined) throw new Error('unreachable');
      const record = halves[bit];
      if (depth === bits.length - 1) halves[bit] = { data };
      else if (typeof record === 'number') node = record;
      else {
        halves[bit] = nodes.push([record, record]) - 1;
        node = nodes.length - 1;
      }
    }
  }
  return nodes;
}

/** Index of the node that a prefix leads to. */
export function nodeAt(nodes: readonly MmdbNode[], network: string, ipVersion: 4 | 6): number {
  return prefixBits(network, ipVersion).reduce((node: number, bit) => Number(nodes[node]?.[bit]), 0);
}

export function encodeValue(value: MmdbValue): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return withControl(2, Buffer.byteLength(value), Buffer.from(value));
  if (typeof value === 'number') return withControl(6, 4, uintBytes(BigInt(value), 4));
  if (typeof value === 'bigint') return withControl(9, 8, uintBytes(value, 8));
  if (typeof value === 'boolean') return withControl(14, value ? 1 : 0);
  if (isArray(value)) return withControl(11, value.length, ...value.map(encodeValue));
  const entries = Object.entries(value);
  return withControl(7, entries.length, ...entries.flatMap(([key, item]) => [encodeValue(key), encodeValue(item)]));
}

/** A value's control byte and length, then its payload. */
export function withControl(type: number, length: number, ...payload: Buffer[]): Buffer {
  const lengthBytes = length < 29 ? 0 : length < 285 ? 1 : length < 65_821 ? 2 : 3;
  const base = [0, 29, 285, 65_821][lengthBytes] ?? 0;
  const field = lengthBytes === 0 ? length : 28 + lengthBytes;
  const control = type < 8 ? [(type << 5) | field] : [field, type - 7];
  return Buffer.concat([Buffer.from(control), uintBytes(BigInt(length - base), lengthBytes), ...payload]);
}

/** A pointer with a 32-bit value, from the start of its section. */
export function pointerTo(offset: number): Buffer {
  return Buffer.concat([Buffer.from([0x38]), uintBytes(BigInt(offset), 4)]);
}

function encodeNode(left: number, right: number, recordSize: 24 | 28 | 32): Buffer {
  const bytes = Buffer.alloc(recordSize / 4);
  if (recordSize === 32) {
    bytes.writeUInt32BE(left, 0);
    bytes.writeUInt32BE(right, 4);
    return bytes;
  }
  bytes.writeUIntBE(left % 2 ** 24, 0, 3);
  bytes.writeUIntBE(right % 2 ** 24, recordSize === 24 ? 3 : 4, 3);
  if (recordSize === 28) bytes.writeUInt8((Math.floor(left / 2 ** 24) << 4) | Math.floor(right / 2 ** 24), 3);
  return bytes;
}

function prefixBits(network: string, ipVersion: 4 | 6): (0 | 1)[] {
  const [address = '', length] = network.split('/');
  const isIpv4 = !address.includes(':');
  const words = [...(parseIpAddress(address) ?? [])];
  if (isIpv4) words[2] = 0;
  const used = ipVersion === 4 ? words.slice(3) : words;
  const bits = used.flatMap((word) =>
    Array.from({ length: 32 }, (_, bit): 0 | 1 => (((word >>> (31 - bit)) & 1) === 1 ? 1 : 0)),
  );
  return bits.slice(0, Number(length) + (isIpv4 && ipVersion === 6 ? 96 : 0));
}

function uintBytes(value: bigint, length: number): Buffer {
  return Buffer.from(length === 0 ? '' : value.toString(16).padStart(2 * length, '0'), 'hex');
}

function isArray(value: MmdbValue): value is readonly MmdbValue[] {
  return Array.isArray(value);
}
