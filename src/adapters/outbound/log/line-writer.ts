/**
 * Writes log lines at once, in order, and never waits for the reader.
 *
 * A line goes out in the call that logs it, so a crash loses nothing that was logged before it. Where the reader is
 * slow, lines wait in a bounded queue; beyond the bound they are counted and dropped, and when the reader is back the
 * log says how many. A stream library's threads would not do: a write that blocks in libuv's pool takes one of its four
 * threads, and process.exit() joins them, so the process could not even end.
 *
 * Lines up to PIPE_BUF (4,096 bytes) are atomic: those of several processes on one pipe do not mix.
 */
import type { LineOutput } from './line-output.js';

export interface LineWriterOptions {
  /** The writer closes it. */
  readonly output: LineOutput;
  /** Most bytes that wait for a slow reader or a full disk. */
  readonly limitBytes: number;
  /** The reader is back after this many lines were dropped. */
  readonly onRecovered: (droppedLines: number) => void;
}

const FLUSH_STEP_MS = 5;

export class LineWriter {
  readonly #options: LineWriterOptions;
  readonly #output: LineOutput;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #droppedLines = 0;
  #unreportedDrops = 0;
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: LineWriterOptions) {
    this.#options = options;
    this.#output = options.output;
  }

  get droppedLines(): number {
    return this.#droppedLines;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Never throws and never blocks; `line` ends in a line feed. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#isClosed || this.#queuedBytes + bytes.length > this.#options.limitBytes) return this.#drop(1);
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    // With lines already waiting, the timer decides when to look again: not one failing system call per line.
    if (this.#retry === null) this.#drain();
  }

  /** Waits at most `timeoutMs` for the reader, then gives up: for the end of the process. */
  flush(timeoutMs: number): void {
    const deadline = performance.now() + timeoutMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    this.#drain();
    while (this.#queue.length > 0 && performance.now() < deadline) {
      Atomics.wait(pause, 0, 0, FLUSH_STEP_MS);
      this.#drain();
    }
  }

  /** Something has changed at the output: what waits is tried now. */
  retryNow(): void {
    if (!this.#isClosed) this.#drain();
  }

  /** Idempotent; what still waits is dropped. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#dropAll();
    this.#output.close();
  }

  #drain(): void {
    this.#stopRetrying();
    for (let line = this.#queue[0]; line !== undefined; line = this.#queue[0]) {
      const written = this.#output.write(line);
      if (written === null) return this.#dropAll();
      this.#queuedBytes -= written;
      if (written === line.length) this.#queue.shift();
      else {
        this.#queue[0] = line.subarray(written);
        if (written === 0) return this.#retryLater();
      }
    }
    this.#reportDrops();
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => this.#drain(), this.#output.retryMs);
    this.#retry.unref();
  }

  #stopRetrying(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  #drop(lines: number): void {
    this.#droppedLines += lines;
    this.#unreportedDrops += lines;
  }

  #dropAll(): void {
    this.#stopRetrying();
    this.#drop(this.#queue.length);
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #reportDrops(): void {
    const dropped = this.#unreportedDrops;
    if (dropped === 0 || this.#isClosed) return;
    this.#unreportedDrops = 0;
    this.#options.onRecovered(dropped);
  }
}
