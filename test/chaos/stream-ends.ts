/** What both ends of a chaos stream do with their socket: send content at a pace, take what comes, tell how it ended. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Peer } from '../support/peer.js';
import { terminatorOf, type Flow, type StreamContent } from './stream-content.js';

const CHUNK_BYTES = 64 << 10;

/** Sends content from `from` to `to`; rejects when the connection breaks. */
export async function sendContent(
  peer: Peer,
  content: StreamContent,
  part: {
    readonly id: number;
    readonly flow: Flow;
    readonly from: number;
    readonly to: number;
    readonly paceMs: number;
  },
  onProgress: () => void,
): Promise<void> {
  for (let offset = part.from; offset < part.to;) {
    const bytes = content.slice(part.id, part.flow, offset, Math.min(CHUNK_BYTES, part.to - offset));
    await peer.writeSlowly(bytes);
    offset += bytes.length;
    onProgress();
    if (part.paceMs > 0) await delay(part.paceMs);
  }
}

/** Checks what comes after the head of a stream: content, then the terminator, then nothing. */
export class ContentCheck {
  /** Bytes taken, terminator included. */
  taken = 0;
  readonly #content: StreamContent;
  readonly #id: number;
  readonly #flow: Flow;
  readonly #bytes: number;
  readonly #terminator: Buffer;

  constructor(content: StreamContent, id: number, flow: Flow, bytes: number) {
    this.#content = content;
    this.#id = id;
    this.#flow = flow;
    this.#bytes = bytes;
    this.#terminator = terminatorOf(id);
  }

  get isComplete(): boolean {
    return this.taken === this.#bytes + this.#terminator.length;
  }

  /** What is wrong with the bytes, or null. */
  take(chunk: Buffer): string | null {
    const left = Math.max(0, this.#bytes - this.taken);
    const body = chunk.subarray(0, left);
    const wrongAt = this.#content.firstWrong(this.#id, this.#flow, this.taken, body);
    if (wrongAt >= 0) return `wrong byte at ${wrongAt} of ${this.#bytes} ${this.#flow}`;
    this.taken += body.length;
    const rest = chunk.subarray(body.length);
    if (rest.length === 0) return null;
    const at = this.taken - this.#bytes;
    if (at + rest.length > this.#terminator.length) return `bytes after the end ${this.#flow}`;
    if (!this.#terminator.subarray(at, at + rest.length).equals(rest)) return `wrong terminator ${this.#flow}`;
    this.taken += rest.length;
    return null;
  }
}

/** Collects exactly `bytes` bytes, then hands the rest of what comes on. */
export class Head {
  #parts: Buffer = Buffer.alloc(0);
  readonly #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get taken(): number {
    return this.#parts.length;
  }

  /** The head once it is whole, and what of the chunk comes after it. */
  take(chunk: Buffer): { readonly head: Buffer | null; readonly rest: Buffer } {
    const missing = this.#bytes - this.#parts.length;
    this.#parts = Buffer.concat([this.#parts, chunk.subarray(0, missing)]);
    return { head: this.#parts.length === this.#bytes ? this.#parts : null, rest: chunk.subarray(missing) };
  }
}
