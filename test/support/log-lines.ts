/** The proxy's JSON log, line by line, to look back at and to wait for. */
import type { Readable } from 'node:stream';
import { DEADLINE_MS } from './eventually.js';

/** One parsed line: `msg`, `level`, `time`, `pid`, `role` and the event's own fields. A line that is no JSON has `raw` alone. */
export type LogLine = Readonly<Record<string, unknown>>;

interface Waiter {
  readonly predicate: (line: LogLine) => boolean;
  readonly resolve: (line: LogLine) => void;
  readonly reject: (error: Error) => void;
}

export class LogLines {
  readonly lines: LogLine[] = [];
  readonly #waiters = new Set<Waiter>();
  #rest = '';
  #ending: string | null = null;

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#take(text));
  }

  /** The first line that fits, also among those already there. Rejects at the deadline or when the log has ended. */
  async waitFor(predicate: (line: LogLine) => boolean, deadlineMs = DEADLINE_MS): Promise<LogLine> {
    const known = this.lines.find(predicate);
    if (known !== undefined) return known;
    return this.next(predicate, deadlineMs);
  }

  /** The first line that fits from now on. */
  async next(predicate: (line: LogLine) => boolean, deadlineMs = DEADLINE_MS): Promise<LogLine> {
    if (this.#ending !== null) throw new Error(`${this.#ending} before the expected line${this.tail()}`);
    let timer: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    try {
      return await new Promise<LogLine>((resolve, reject) => {
        waiter = { predicate, resolve, reject };
        this.#waiters.add(waiter);
        timer = setTimeout(
          () => reject(new Error(`no such log line within ${deadlineMs} ms${this.tail()}`)),
          deadlineMs,
        );
      });
    } finally {
      clearTimeout(timer);
      if (waiter !== undefined) this.#waiters.delete(waiter);
    }
  }

  /** No more lines will come: whoever waits learns why. */
  end(reason: string): void {
    this.#ending = reason;
    for (const { reject } of this.#waiters) reject(new Error(`${reason} before the expected line${this.tail()}`));
  }

  /** The last lines, to be put into an error. */
  tail(): string {
    return this.lines
      .slice(-20)
      .map((line) => `\n    ${JSON.stringify(line)}`)
      .join('');
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = parseLine(part);
      this.lines.push(line);
      for (const { predicate, resolve } of this.#waiters) if (predicate(line)) resolve(line);
    }
  }
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { raw: text };
  }
}
