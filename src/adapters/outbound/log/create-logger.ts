/**
 * The Logger port on pino: one line per event with time, level, pid and role, to standard output. Only the primary has
 * one; what a worker has to tell reaches it as a message.
 */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import type { Logger as PinoLogger } from 'pino';
import type { Logger } from '../../../application/ports/logger.js';
import type { LogFormat, LogLevel } from '../../../application/proxy-config.js';
import { LineWriter } from './line-writer.js';
import { createPrettifier } from './pretty-line.js';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Of the process, for instance `primary`. */
  readonly role: string;
  /** Standard output unless given. */
  readonly fd?: number;
  /** Most bytes kept for a reader that is behind. */
  readonly limitBytes?: number;
}

export interface ProcessLogger extends Logger {
  /** The same output; every line carries `bindings` too. */
  child(bindings: object): ProcessLogger;
  /** Waits a moment for a reader that is behind. Happens by itself when the process exits. */
  flush(): void;
  /** Flushes and lets the output go; later lines are dropped. For tests: a process keeps its logger. */
  close(): void;
  /** Lines lost since the start, because the reader was too slow or the output gone. */
  readonly droppedLines: number;
}

const STANDARD_OUTPUT = 1;
const LIMIT_BYTES = 1 << 20;
/** A reader that has not come by then is not coming; the process must end. */
const FLUSH_TIMEOUT_MS = 250;

export function createLogger(options: LoggerOptions): ProcessLogger {
  const fd = options.fd ?? STANDARD_OUTPUT;
  const writer = new LineWriter({
    fd,
    limitBytes: options.limitBytes ?? LIMIT_BYTES,
    onRecovered: (droppedLines) => logger.warn({ droppedLines }, 'log lines were dropped: the reader was too slow'),
  });
  const format = options.format === 'pretty' ? createPrettifier(isColored(fd)) : null;
  const destination = { write: (line: string) => writer.write(format === null ? line : format(line)) };
  const logger = new LoggerOnPino(pino(pinoOptions(options), destination), writer);
  return logger;
}

function pinoOptions({ level, role }: LoggerOptions): object {
  return {
    level,
    base: { pid: process.pid, role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err },
  };
}

/** https://no-color.org */
function isColored(fd: number): boolean {
  return isatty(fd) && (process.env['NO_COLOR'] ?? '') === '';
}

class LoggerOnPino implements ProcessLogger {
  readonly #pino: PinoLogger;
  readonly #writer: LineWriter;
  readonly #onExit = () => this.flush();

  constructor(target: PinoLogger, writer: LineWriter, isChild = false) {
    this.#pino = target;
    this.#writer = writer;
    if (!isChild) process.once('exit', this.#onExit);
  }

  get droppedLines(): number {
    return this.#writer.droppedLines;
  }

  debug(context: object, message: string): void {
    this.#pino.debug(context, message);
  }

  info(context: object, message: string): void {
    this.#pino.info(context, message);
  }

  warn(context: object, message: string): void {
    this.#pino.warn(context, message);
  }

  error(context: object, message: string): void {
    this.#pino.error(context, message);
  }

  child(bindings: object): ProcessLogger {
    return new LoggerOnPino(this.#pino.child(bindings), this.#writer, true);
  }

  flush(): void {
    this.#writer.flush(FLUSH_TIMEOUT_MS);
  }

  close(): void {
    process.off('exit', this.#onExit);
    this.flush();
    this.#writer.close();
  }
}
