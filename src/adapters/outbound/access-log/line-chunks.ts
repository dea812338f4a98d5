/** Whole lines, joined into chunks of at most so many bytes and written in their order. */
import type { LineOutput } from '../log/line-output.js';

interface Chunk {
  readonly bytes: Buffer;
  readonly lines: number;
}

export class LineChunks {
  #chunkBytes: number;
  #text = '';
  #lines = 0;
  #queue: Chunk[] = [];
  #hasProgressed = false;

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  /** Of the chunks to come. */
  useChunkBytes(chunkBytes: number): void {
    this.#chunkBytes = chunkBytes;
  }

  /** `line` is ASCII and ends in a line feed. */
  add(line: string): void {
    if (this.#lines > 0 && this.#text.length + line.length > this.#chunkBytes) this.#close();
    this.#text += line;
    this.#lines++;
  }

  get isEmpty(): boolean {
    return this.#lines === 0 && this.#queue.length === 0;
  }

  /** Whether something was written since the last call. */
  takeProgress(): boolean {
    const hasProgressed = this.#hasProgressed;
    this.#hasProgressed = false;
    return hasProgressed;
  }

  /** Writes what can be written now; returns how many lines are lost because the output is gone. */
  writeTo(output: LineOutput): number {
    this.#close();
    let lost = 0;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const written = output.write(first.bytes);
      if (written === 0) return lost;
      this.#hasProgressed ||= written !== null;
      if (written === null) lost += first.lines;
      if (written === null || written === first.bytes.length) this.#queue.shift();
      else this.#queue[0] = { bytes: first.bytes.subarray(written), lines: first.lines };
    }
    return lost;
  }

  /** Forgets all; returns how many lines. */
  drop(): number {
    this.#close();
    const lines = this.#queue.reduce((sum, chunk) => sum + chunk.lines, 0);
    this.#queue = [];
    return lines;
  }

  #close(): void {
    if (this.#lines > 0) this.#queue.push({ bytes: Buffer.from(this.#text, 'latin1'), lines: this.#lines });
    this.#text = '';
    this.#lines = 0;
  }
}
