/**
 * What a chaos stream carries, so that a byte that is lost, doubled, changed or another stream's is seen:
 *
 *   up    header (32 B) · content · terminator (8 B) · FIN     from the client
 *   down  greeting (8 B) · content · terminator (8 B) · FIN    from the backend; the greeting comes before anything is read
 *
 * Content is a function of (seed, stream, direction, offset): a window of one random table. Its length is prime, so bytes
 * that are a buffer or a pipe too early or too late do not match.
 */
import { randomBuffer } from '../support/random-bytes.js';
import type { ResponseOrder, StreamPlan } from './stream-plan.js';

export const HEADER_BYTES = 32;
export const GREETING_BYTES = 8;
export const TERMINATOR_BYTES = 8;
export type Flow = 'up' | 'down';

const TABLE_BYTES = 1_000_003;
const MAGIC = 0x53414843;
const END_MAGIC = 0x444e4543;
const NEVER = 0xffff_ffff;
const ORDERS: readonly ResponseOrder[] = ['together', 'after-bytes', 'after-end'];

/** The part of a plan that the backend has to know. */
export type StreamHeader = Pick<
  StreamPlan,
  'id' | 'upBytes' | 'downBytes' | 'order' | 'mayCutUp' | 'resetAt' | 'downPaceMs'
>;

export class StreamContent {
  readonly #table: Buffer;

  constructor(seed: string) {
    this.#table = randomBuffer(`chaos ${seed}`, TABLE_BYTES);
  }

  /** At most `bytes` bytes from `offset` on, at least one; not a copy. */
  slice(id: number, flow: Flow, offset: number, bytes: number): Buffer {
    const start = (id * 7_919 + (flow === 'up' ? 0 : 499_979) + offset) % TABLE_BYTES;
    return this.#table.subarray(start, Math.min(TABLE_BYTES, start + bytes));
  }

  /** Offset of the first byte of `chunk` that is not what belongs at `offset`, or -1. */
  firstWrong(id: number, flow: Flow, offset: number, chunk: Buffer): number {
    for (let at = 0; at < chunk.length;) {
      const expected = this.slice(id, flow, offset + at, chunk.length - at);
      if (!expected.equals(chunk.subarray(at, at + expected.length))) return offset + at;
      at += expected.length;
    }
    return -1;
  }
}

export function headerOf(header: StreamHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const { id, upBytes, downBytes, order, mayCutUp, resetAt, downPaceMs } = header;
  const words = [MAGIC, id, upBytes, downBytes, ORDERS.indexOf(order), mayCutUp ? 1 : 0, resetAt ?? NEVER, downPaceMs];
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, index * 4);
  return bytes;
}

/** Null for bytes that are no header. */
export function readHeader(bytes: Buffer): StreamHeader | null {
  const word = (index: number): number => bytes.readUInt32LE(index * 4);
  const order = ORDERS[word(4)];
  if (word(0) !== MAGIC || order === undefined) return null;
  return {
    id: word(1),
    upBytes: word(2),
    downBytes: word(3),
    order,
    mayCutUp: word(5) === 1,
    resetAt: word(6) === NEVER ? null : word(6),
    downPaceMs: word(7),
  };
}

export function greetingOf(instance: number): Buffer {
  const bytes = Buffer.alloc(GREETING_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(instance, 4);
  return bytes;
}

/** The backend process that greets; null for bytes that are no greeting. */
export function readGreeting(bytes: Buffer): number | null {
  return bytes.readUInt32LE(0) === MAGIC ? bytes.readUInt32LE(4) : null;
}

export function terminatorOf(id: number): Buffer {
  const bytes = Buffer.alloc(TERMINATOR_BYTES);
  bytes.writeUInt32LE(END_MAGIC, 0);
  bytes.writeUInt32LE(id, 4);
  return bytes;
}
