/**
 * The terminal while `top` has it: alternate screen, no cursor, keys at once. Whatever ends the process gives it back as it was:
 * `close`, a signal, an error that nobody has caught, or the end itself. SIGKILL cannot; `reset` can then.
 */
import { writeSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Frame, Size } from './frame.js';

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J';
const LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_END_OF_LINE = '\x1b[K';
const PLAIN = '\x1b[0m';
/** Those that end a process unless it says otherwise, and that somebody may send by mistake. */
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGXCPU'] as const;
const STANDARD_OUTPUT = 1;
/** Of a terminal that does not say. */
const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

export interface ScreenEvents {
  onKeys(input: string): void;
  onResize(): void;
  /** The terminal is gone. */
  onLost(): void;
}

export class Screen {
  readonly #output: WriteStream;
  readonly #input: ReadStream;
  readonly #hasColour: boolean;
  #isOpen = false;
  #isFull = false;

  constructor(output: WriteStream, input: ReadStream, hasColour: boolean) {
    this.#output = output;
    this.#input = input;
    this.#hasColour = hasColour;
  }

  get size(): Size {
    const { columns, rows } = this.#output;
    return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
  }

  /** Once. */
  start(events: ScreenEvents): void {
    process.on('exit', () => this.close());
    for (const signal of ENDING_SIGNALS) process.once(signal, () => this.#endBy(signal));
    process.on('uncaughtException', (error) => {
      this.close();
      writeSync(2, `error: ${error.stack ?? error.message}\n`);
      process.exit(1);
    });
    process.on('SIGTSTP', () => this.suspend());
    process.on('SIGCONT', () => {
      this.open();
      events.onResize();
    });
    for (const stream of [this.#output, this.#input]) stream.on('error', () => events.onLost());
    this.#input.on('end', () => events.onLost());
    this.#input.setEncoding('utf8').on('data', (input: string) => events.onKeys(input));
    this.#output.on('resize', () => events.onResize());
    this.#output.on('drain', () => (this.#isFull = false));
    this.open();
  }

  /** Idempotent. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#input.setRawMode(true);
    this.#input.resume();
    this.#output.write(ENTER);
  }

  /** Idempotent; done when it returns. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#input.setRawMode(false);
      this.#input.pause();
      writeSync(STANDARD_OUTPUT, LEAVE);
    } catch {
      // The terminal is gone: there is nothing to give back.
    }
  }

  /** Until SIGCONT. */
  suspend(): void {
    this.close();
    process.kill(process.pid, 'SIGSTOP');
  }

  /** A terminal that has not taken the last picture gets this one not at all. */
  draw({ lines, titleLine, problemLine }: Frame): void {
    if (!this.#isOpen || this.#isFull) return;
    const shown = lines.map((line, index) => {
      const style = index === titleLine ? '\x1b[7m' : index === problemLine ? this.#alarm() : '';
      return style === '' ? line + TO_END_OF_LINE : `${style}${line}${PLAIN}${TO_END_OF_LINE}`;
    });
    // No line break behind the last one: the picture would scroll. What an older, larger picture has left below goes.
    this.#isFull = !this.#output.write(`${HOME}${shown.join('\r\n')}\x1b[J`);
  }

  #alarm(): string {
    return this.#hasColour ? '\x1b[31m' : '\x1b[1m';
  }

  /** As the signal would have without us, so that whoever has started this learns of it. */
  #endBy(signal: NodeJS.Signals): void {
    this.close();
    process.kill(process.pid, signal);
  }
}
