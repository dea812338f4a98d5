/**
 * The thread of the access log: looks into the rings ten times a second, or as often as it can while one of them fills up, makes
 * lines of what it finds and writes them. A write may block; then the rings fill up, and nobody else waits.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { readAccessEntry } from '../../../domain/access-log/access-entry.js';
import { accessFormat } from '../../../domain/access-log/access-lines.js';
import { AccessRings } from '../../../domain/access-log/access-rings.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { GeoTable } from '../../../domain/geo/geo-table.js';
import { loadNativeAddon } from '../native/native-addon.js';
import type {
  AccessLogOutput,
  AccessLogThreadData,
  FromAccessLogThread,
  ToAccessLogThread,
} from './access-log-messages.js';
import { EntryNames } from './entry-names.js';
import { LineChunks } from './line-chunks.js';
import { openOutput, type OpenOutput } from './open-output.js';

const LOOK_MS = 100;
/** From here on it does not wait for the next look. */
const FULL_ENOUGH = 0.25;
const RECORDS_AT_A_TIME = 512;
/** A file that cannot be opened is tried again. */
const OPEN_RETRY_MS = 1000;
/** Of a pipe whose reader takes what is written: a buffer of 64 KiB in that time. */
const BUSY_READER_RETRY_MS = 2;
/** At the end, for a reader that is behind. */
const LAST_LINES_MS = 500;

const native = loadNativeAddon();
const { region, output: firstOutput } = workerData as AccessLogThreadData;
const rings = new AccessRings(region);
const names = new EntryNames();
const chunks = new LineChunks(0);
let wanted = firstOutput;
let format = accessFormat(wanted.format);
let open: OpenOutput | null = null;
let isEnding = false;
/** Of the output that cannot be opened; null where it is open. */
let toldTrouble: string | null = null;

turn();

function turn(): void {
  takeMessages();
  const isFull = rings.fill >= FULL_ENOUGH;
  const isWritten = pump(isFull || isEnding);
  if (isEnding) return end();
  if (!isWritten) setTimeout(turn, retryMs());
  else if (isFull) setImmediate(turn);
  else setTimeout(turn, LOOK_MS);
}

/** Writes all up to this look; false where the output takes no more for now. */
function pump(isEager: boolean): boolean {
  if (!write()) return false;
  rings.look(isEager);
  const offsetUs = Date.now() * 1000 - nowUs();
  const addLine = (words: Uint32Array, at: number, name: string): void => {
    chunks.add(format(readAccessEntry(words, at, name), names, offsetUs));
  };
  while (rings.take(RECORDS_AT_A_TIME, addLine) > 0) if (!write()) return false;
  return true;
}

function write(): boolean {
  open ??= tryOpen();
  if (open === null) return false;
  const lost = chunks.writeTo(open.output);
  if (lost > 0) rings.countUnwritten(lost);
  return chunks.isEmpty;
}

/** A reader that takes what is written takes more in a moment; one that stands still is left alone for longer. */
function retryMs(): number {
  if (open === null) return OPEN_RETRY_MS;
  return chunks.takeProgress() ? BUSY_READER_RETRY_MS : open.retryMs;
}

function tryOpen(): OpenOutput | null {
  try {
    const opened = openOutput(wanted, { tryLock: (fd) => native.tryLockFile(fd), onTrouble: tellTrouble });
    chunks.useChunkBytes(opened.chunkBytes);
    toldTrouble = null;
    return opened;
  } catch (error) {
    const trouble = error instanceof EdgeproxyError ? error.message : String(error);
    if (trouble !== toldTrouble) tellTrouble(trouble);
    toldTrouble = trouble;
    return null;
  }
}

function takeMessages(): void {
  if (parentPort === null) return;
  for (let next = receiveMessageOnPort(parentPort); next !== undefined; next = receiveMessageOnPort(parentPort)) {
    takeMessage(next.message as ToAccessLogThread);
  }
}

function takeMessage(message: ToAccessLogThread): void {
  switch (message.type) {
    case 'names':
      return names.add(message.kind, message.names, message.sinceUs);
    case 'geo':
      names.useCountries(new GeoTable(message.region));
      // Of the one before, which nothing holds any more when this is over.
      setImmediate(() => native.releaseUnusedRegions());
      return;
    case 'output':
      return useOutput(message.output);
    case 'reopen':
      return open?.file?.reopen();
    case 'end':
      isEnding = true;
  }
}

/** What came up to here is in the old place and form. */
function useOutput(output: AccessLogOutput): void {
  const isSamePlace = output.target === wanted.target;
  pump(true);
  wanted = output;
  format = accessFormat(output.format);
  if (isSamePlace) return open?.file?.useLimits(output);
  rings.countUnwritten(chunks.drop());
  open?.output.close();
  open = null;
  toldTrouble = null;
}

function end(): void {
  const deadline = performance.now() + LAST_LINES_MS;
  const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  while (!pump(true) && performance.now() < deadline) Atomics.wait(pause, 0, 0, open === null ? LOOK_MS : retryMs());
  rings.countUnwritten(chunks.drop() + dropRecords());
  open?.output.close();
  parentPort?.close();
}

function dropRecords(): number {
  rings.look(true);
  let records = 0;
  for (let taken = -1; taken !== 0; records += taken) taken = rings.take(RECORDS_AT_A_TIME, () => undefined);
  return records;
}

function tellTrouble(trouble: string): void {
  parentPort?.postMessage({ trouble } satisfies FromAccessLogThread);
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
