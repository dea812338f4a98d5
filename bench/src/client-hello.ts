/**
 * A TLS ClientHello as browsers send it, of any size: 517 bytes was every browser's until key shares that withstand quantum
 * computers came, which make it 1,800 and two segments. Nobody completes the handshake, so keys and randoms may be any bytes.
 */
import { createHash } from 'node:crypto';

const RECORD_HEADER_BYTES = 5;
const EXTENSION_HEADER_BYTES = 4;
const SEGMENT_BYTES = 1_400;
const EXTENSION = {
  SERVER_NAME: 0,
  STATUS_REQUEST: 5,
  SUPPORTED_GROUPS: 10,
  POINT_FORMATS: 11,
  SIGNATURE_ALGORITHMS: 13,
  ALPN: 16,
  CERTIFICATE_TIMESTAMP: 18,
  PADDING: 21,
  EXTENDED_MASTER_SECRET: 23,
  COMPRESS_CERTIFICATE: 27,
  SESSION_TICKET: 35,
  SUPPORTED_VERSIONS: 43,
  KEY_EXCHANGE_MODES: 45,
  KEY_SHARE: 51,
  RENEGOTIATION: 0xff01,
} as const;
const X25519 = 0x001d;
const X25519_MLKEM768 = 0x11ec;
const KEY_BYTES = { [X25519]: 32, [X25519_MLKEM768]: 1_216 } as const;
const CIPHER_SUITES = [
  0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
  0x0035,
];
const SIGNATURE_ALGORITHMS = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

export interface ClientHello {
  readonly bytes: Buffer;
  /** How many go out in the first segment; all of them where one is enough. */
  readonly firstPart: number;
}

/** Whole numbers of two bytes. */
function words(...values: readonly number[]): Buffer {
  return Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}

function withLength(lengthBytes: 1 | 2 | 3, body: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([length, body]);
}

function extension(type: number, body: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([words(type), withLength(2, body)]);
}

/** The same in every run. */
function someBytes(label: string, count: number): Buffer {
  return createHash('shake256', { outputLength: count }).update(label).digest();
}

function keyShare(group: keyof typeof KEY_BYTES): Buffer {
  return Buffer.concat([words(group), withLength(2, someBytes(`key ${group}`, KEY_BYTES[group]))]);
}

function extensions(name: string, groups: readonly (keyof typeof KEY_BYTES)[]): Buffer[] {
  const host = Buffer.concat([Buffer.of(0), withLength(2, Buffer.from(name))]);
  const protocols = ['h2', 'http/1.1'].map((protocol) => withLength(1, Buffer.from(protocol)));
  return [
    extension(EXTENSION.STATUS_REQUEST, Buffer.of(1, 0, 0, 0, 0)),
    extension(EXTENSION.EXTENDED_MASTER_SECRET),
    extension(EXTENSION.KEY_SHARE, withLength(2, Buffer.concat(groups.map(keyShare)))),
    extension(EXTENSION.SUPPORTED_GROUPS, withLength(2, words(...groups, 0x0017, 0x0018))),
    extension(EXTENSION.SUPPORTED_VERSIONS, withLength(1, words(0x0304, 0x0303))),
    extension(EXTENSION.POINT_FORMATS, Buffer.of(1, 0)),
    extension(EXTENSION.SIGNATURE_ALGORITHMS, withLength(2, words(...SIGNATURE_ALGORITHMS))),
    extension(EXTENSION.SERVER_NAME, withLength(2, host)),
    extension(EXTENSION.CERTIFICATE_TIMESTAMP),
    extension(EXTENSION.SESSION_TICKET),
    extension(EXTENSION.COMPRESS_CERTIFICATE, Buffer.of(2, 0, 2)),
    extension(EXTENSION.RENEGOTIATION, Buffer.of(0)),
    extension(EXTENSION.KEY_EXCHANGE_MODES, Buffer.of(1, 1)),
    extension(EXTENSION.ALPN, withLength(2, Buffer.concat(protocols))),
  ];
}

function record(parts: readonly Buffer[]): Buffer {
  const hello = Buffer.concat([
    words(0x0303),
    someBytes('random', 32),
    withLength(1, someBytes('session', 32)),
    withLength(2, words(...CIPHER_SUITES)),
    withLength(1, Buffer.of(0)),
    withLength(2, Buffer.concat(parts)),
  ]);
  const handshake = Buffer.concat([Buffer.of(1), withLength(3, hello)]);
  return Buffer.concat([Buffer.of(0x16), words(0x0301), withLength(2, handshake)]);
}

/** Throws where so few bytes do not hold it. */
export function clientHello(name: string, size: number): ClientHello {
  const isLarge = size > KEY_BYTES[X25519_MLKEM768];
  const parts = extensions(name, isLarge ? [X25519_MLKEM768, X25519] : [X25519]);
  const paddingBytes = size - record(parts).length - EXTENSION_HEADER_BYTES;
  if (paddingBytes < 0) throw new RangeError(`a ClientHello for ${name} does not fit into ${size} bytes`);
  const bytes = record([...parts, extension(EXTENSION.PADDING, Buffer.alloc(paddingBytes))]);
  if (bytes.length !== size || bytes.length < RECORD_HEADER_BYTES)
    throw new RangeError(`${bytes.length} bytes, not ${size}`);
  return { bytes, firstPart: Math.min(size, SEGMENT_BYTES) };
}
