/**
 * The Logger port on pino: one line per event with time, level, pid and role, to standard output or a file. Only the primary has
 * one; what a worker has to tell reaches it as a message.
 *
 * pino is loaded by the first line, or by prepare(): its thirty files take as long as all modules of the proxy, and workers
 * are forked without having logged anything.
 */
import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import type { Logger as PinoLogger, pino } from 'pino';
import type { Logger } from '../../../application/ports/logger.js';
import type { LogFormat, LogLevel } from '../../../application/proxy-config.js';
import { DescriptorOutput } from './descriptor-output.js';
import { LineWriter } from './line-writer.js';
import type { LogFile } from './log-file.js';
import { createPrettifier } from './pretty-line.js';
import type { RotationLimits } from './rotation.js';

export type TroubleListener = (kind: 'warning' | 'error', context: object, message: string) => void;

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Of the process, for instance `primary`. */
  readonly role: string;
  /** Instead of a descriptor; the logger closes it. */
  readonly file?: LogFile | null;
  /** Standard output unless given. */
  readonly fd?: number;
  /** Told of every warning and error, whatever the level. */
  readonly onTrouble?: TroubleListener;
  /** Most bytes kept for a reader that is behind. */
  readonly limitBytes?: number;
}

export interface ProcessLogger extends Logger {
  /** Loads what lines need. Without it the first line does, and cannot be written where there is no descriptor left. */
  prepare(): void;
  /** Another least severity from the next line on; children keep theirs. */
  useLevel(level: LogLevel): void;
  /** Goes on in the log file that is there now, where it was moved away. */
  reopen(): void;
  useRotation(limits: RotationLimits): void;
  /** The same output; every line carries `bindings` too. */
  child(bindings: object): ProcessLogger;
  /** Waits a moment for a reader that is behind. Happens by itself when the process exits. */
  flush(): void;
  /** Flushes and lets the output go; later lines are dropped. For tests: a process keeps its logger. */
  close(): void;
  /** Lines lost since the start, because the reader was too slow or the output gone. */
  readonly droppedLines: number;
}

interface PinoModule {
  readonly pino: typeof pino;
}

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  trace: 0,
  debug: 1,
  info: 2,
  warn: 3,
  error: 4,
  fatal: 5,
  silent: 6,
};
const STANDARD_OUTPUT = 1;
const LIMIT_BYTES = 1 << 20;
/** A reader that has not come by then is not coming; the process must end. */
const FLUSH_TIMEOUT_MS = 250;

export function createLogger(options: LoggerOptions): ProcessLogger {
  const { fd = STANDARD_OUTPUT, file = null, onTrouble = () => undefined } = options;
  const why = file === null ? 'the reader was too slow' : 'the log file could not be written';
  const writer = new LineWriter({
    output: file ?? new DescriptorOutput(fd),
    limitBytes: options.limitBytes ?? LIMIT_BYTES,
    onRecovered: (droppedLines) => logger.warn({ droppedLines }, `log lines were dropped: ${why}`),
  });
  const format = options.format === 'pretty' ? createPrettifier(file === null && isColored(fd)) : null;
  const destination = { write: (line: string) => writer.write(format === null ? line : format(line)) };
  const logger = new LoggerOnPino(() => openPino(options.role, destination), options.level, {
    writer,
    file,
    onTrouble,
  });
  return logger;
}

/** Every level: LoggerOnPino knows which are wanted. */
function openPino(role: string, destination: { write(line: string): void }): PinoLogger {
  const { pino: open } = createRequire(import.meta.url)('pino') as PinoModule;
  const options = {
    level: 'trace',
    base: { pid: process.pid, role },
    timestamp: open.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: open.stdSerializers.err },
  };
  return open(options, destination);
}

/** https://no-color.org */
function isColored(fd: number): boolean {
  return isatty(fd) && (process.env['NO_COLOR'] ?? '') === '';
}

interface Output {
  readonly writer: LineWriter;
  readonly file: LogFile | null;
  readonly onTrouble: TroubleListener;
}

class LoggerOnPino implements ProcessLogger {
  readonly #open: () => PinoLogger;
  readonly #output: Output;
  readonly #onExit = () => this.flush();
  #opened: PinoLogger | null = null;
  #level: LogLevel;

  constructor(open: () => PinoLogger, level: LogLevel, output: Output, isChild = false) {
    this.#open = open;
    this.#level = level;
    this.#output = output;
    if (!isChild) process.once('exit', this.#onExit);
  }

  get droppedLines(): number {
    return this.#output.writer.droppedLines;
  }

  debug(context: object, message: string): void {
    if (this.#isWanted('debug')) this.#ready().debug(context, message);
  }

  info(context: object, message: string): void {
    if (this.#isWanted('info')) this.#ready().info(context, message);
  }

  warn(context: object, message: string): void {
    this.#output.onTrouble('warning', context, message);
    if (this.#isWanted('warn')) this.#ready().warn(context, message);
  }

  error(context: object, message: string): void {
    this.#output.onTrouble('error', context, message);
    if (this.#isWanted('error')) this.#ready().error(context, message);
  }

  prepare(): void {
    this.#ready();
  }

  useLevel(level: LogLevel): void {
    this.#level = level;
  }

  reopen(): void {
    const { file, writer } = this.#output;
    file?.reopen();
    writer.retryNow();
  }

  useRotation(limits: RotationLimits): void {
    this.#output.file?.useLimits(limits);
  }

  child(bindings: object): ProcessLogger {
    return new LoggerOnPino(() => this.#ready().child(bindings), this.#level, this.#output, true);
  }

  flush(): void {
    this.#output.writer.flush(FLUSH_TIMEOUT_MS);
  }

  close(): void {
    process.off('exit', this.#onExit);
    this.flush();
    this.#output.writer.close();
  }

  #ready(): PinoLogger {
    return (this.#opened ??= this.#open());
  }

  #isWanted(level: LogLevel): boolean {
    return SEVERITY[level] >= SEVERITY[this.#level];
  }
}
