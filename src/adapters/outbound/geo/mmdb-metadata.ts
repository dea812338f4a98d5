/** Finds, checks and reads the metadata section; the reader that comes back decodes the records. */
import { Reader, type Response } from 'maxmind';
import { foreignMessage } from '../foreign-message.js';
import { damaged, geoError } from './geo-error.js';
import type { GeoLimits } from './geo-limits.js';
import type { MmdbFile } from './mmdb-file.js';
import { RecordFault, RecordGuard } from './record-guard.js';

const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
/** The format allows the metadata section this much, at the end of the file. */
const MAX_METADATA_BYTES = 128 * 1024;
const GZIP_MAGIC = 0x1f8b;
const MAP_TYPE = 7;
/** Zero bytes between the search tree and the data section. */
export const SEPARATOR_BYTES = 16;
const MAX_EPOCH_SECS = 0xffff_ffff;
/** Records that other records point to again, country and continent for instance; as many as one load keeps decoded. */
const MAX_CACHED_RECORDS = 4096;

export interface MmdbDatabase {
  readonly reader: Reader<Response>;
  readonly nodeCount: number;
  readonly recordBits: 24 | 28 | 32;
  readonly addressBits: 32 | 128;
  /** The data section lies at [dataStart, dataEnd) of the file. */
  readonly dataStart: number;
  readonly dataEnd: number;
  readonly databaseType: string;
  readonly buildEpochSecs: number;
}

export function openMmdb(file: MmdbFile, limits: GeoLimits): MmdbDatabase {
  const dataEnd = findMarker(file);
  const reader = openReader(file, dataEnd + MARKER.length, limits);
  const { metadata } = reader;
  const { nodeCount, ipVersion } = metadata;
  const buildEpochSecs = metadata.buildEpoch.getTime() / 1000;
  expectField(file, 'binary_format_major_version', metadata.binaryFormatMajorVersion, (value) => value === 2, '2');
  expectField(file, 'ip_version', ipVersion, (value) => value === 4 || value === 6, '4 or 6');
  expectField(file, 'node_count', nodeCount, (value) => Number.isInteger(value) && nodeCount > 0, 'a number above 0');
  expectField(
    file,
    'build_epoch',
    buildEpochSecs,
    (value) => Number(value) >= 0 && Number(value) <= MAX_EPOCH_SECS,
    'seconds since 1970',
  );
  expectField(file, 'database_type', metadata.databaseType, (value) => typeof value === 'string', 'a text');
  const dataStart = metadata.searchTreeSize + SEPARATOR_BYTES;
  if (dataStart > dataEnd) {
    throw damaged(
      file,
      `a search tree of ${nodeCount} nodes, ${metadata.searchTreeSize} bytes`,
      `one that ends before the metadata at ${dataEnd}`,
    );
  }
  if (nodeCount > limits.maxNodes) {
    throw geoError({
      code: 'EP_GEO_TOO_LARGE',
      path: file.path,
      found: `${nodeCount} nodes`,
      expected: `at most ${limits.maxNodes}`,
    });
  }
  return {
    reader,
    nodeCount,
    recordBits: metadata.recordSize as 24 | 28 | 32,
    addressBits: ipVersion === 4 ? 32 : 128,
    dataStart,
    dataEnd,
    databaseType: metadata.databaseType,
    buildEpochSecs,
  };
}

function findMarker({ path, bytes }: MmdbFile): number {
  const from = Math.max(0, bytes.length - MAX_METADATA_BYTES);
  const marker = bytes.subarray(from).lastIndexOf(MARKER);
  if (marker >= 0) return from + marker;
  const isGzip = bytes.length >= 2 && bytes.readUInt16BE(0) === GZIP_MAGIC;
  const found = isGzip ? 'a gzip file' : 'no metadata marker';
  throw geoError({
    code: 'EP_GEO_DAMAGED',
    path,
    found,
    expected: `a MaxMind DB file, unpacked, with metadata in its last 128 KiB`,
  });
}

function openReader(file: MmdbFile, metadataStart: number, limits: GeoLimits): Reader<Response> {
  const { bytes } = file;
  try {
    // The reader looks for the marker in its own way; before a map it finds the same one.
    if ((bytes[metadataStart] ?? 0) >> 5 !== MAP_TYPE)
      throw new RecordFault(`metadata at offset ${metadataStart} that is no map`);
    new RecordGuard(bytes, metadataStart, bytes.length, limits).check(metadataStart);
    return new Reader(bytes, { cache: boundedCache() });
  } catch (error) {
    const found =
      error instanceof RecordFault
        ? `${error.message} (metadata)`
        : `metadata that cannot be read: ${foreignMessage(error)}`;
    throw damaged(file, found, 'the metadata of a MaxMind DB 2.x file', error);
  }
}

function boundedCache(): NonNullable<ConstructorParameters<typeof Reader>[1]>['cache'] & object {
  const records = new Map<string | number, unknown>();
  return {
    get: (key) => records.get(key),
    set: (key, value) => {
      if (records.size >= MAX_CACHED_RECORDS) records.clear();
      records.set(key, value);
    },
  };
}

function expectField(
  file: MmdbFile,
  name: string,
  value: unknown,
  isSound: (value: unknown) => boolean,
  expected: string,
): void {
  if (!isSound(value)) throw damaged(file, `${name} ${String(value)}`, expected);
}
