/**
 * A log file that rotates by size.
 *
 * Several processes may have it open: at an upgrade the old version and the new one. Lines go out with O_APPEND, each in one
 * write, so they do not mix. Who rotates holds the file's lock and has looked, with the lock in hand, that the name is
 * still this file's; who finds it renamed opens the new one. The lock belongs to the file that is renamed, not to the name, so it is
 * gone with the file, and the kernel takes it back from a process that is killed.
 *
 * Nothing that goes wrong here stops the proxy. Lines wait in the writer, and what is wrong is told once, on standard
 * error: the log cannot tell it.
 */
import { closeSync, constants, fstatSync, openSync, statSync, writeSync, type Stats } from 'node:fs';
import { foreignMessage } from '../foreign-message.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import type { LineOutput } from './line-output.js';
import { rotate, type RotationLimits } from './rotation.js';

export interface LogFileOptions extends RotationLimits {
  readonly path: string;
  /** See NativeAddon.tryLockFile. */
  readonly tryLock: (fd: number) => boolean;
  /** Told once for each trouble, and not again before it has passed. */
  readonly onTrouble: (message: string) => void;
  readonly nowMs: () => number;
}

/** A disk is not freed in milliseconds. */
const RETRY_MS = 1000;
/** Without O_NONBLOCK the open of a pipe that nobody reads would never return. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;
const MODE = 0o640;

type Trouble = 'cannot be written' | 'cannot be rotated';

export class LogFile implements LineOutput {
  readonly retryMs = RETRY_MS;
  readonly #options: LogFileOptions;
  #limits: RotationLimits;
  #fd: number;
  /** The rest of a line has yet to be written, to this file. */
  #isMidLine = false;
  /** Another file may have the name. */
  #mustLook = false;
  readonly #told = new Set<Trouble>();
  /** Not before, after a rotation that failed. */
  #nextRotationMs = 0;
  #isClosed = false;

  /** Throws EP_LOG_FILE where it cannot be opened. */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#limits = options;
    const { path } = options;
    try {
      this.#fd = openSync(path, FLAGS, MODE);
    } catch (cause) {
      const message = `The log file cannot be opened: ${foreignMessage(cause)}.`;
      throw new EdgeproxyError('EP_LOG_FILE', message, { source: 'config', context: { path }, cause });
    }
  }

  /** From the next line on. */
  useLimits(limits: RotationLimits): void {
    this.#limits = limits;
  }

  write(bytes: Buffer): number {
    try {
      // The beginning of the line is gone with its file: the rest is worth nothing.
      if (this.#isMidLine && fstatSync(this.#fd).nlink === 0) return this.#note(bytes.length, bytes);
      if (!this.#isMidLine) this.#prepareFor(bytes.length);
      return this.#note(writeSync(this.#fd, bytes), bytes);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'EAGAIN' && code !== 'EINTR') this.#tell('cannot be written', error);
      return 0;
    }
  }

  /** The next line goes to the file that has the name then: this one may have been moved away. */
  reopen(): void {
    this.#mustLook = true;
  }

  close(): void {
    if (!this.#isClosed) closeSync(this.#fd);
    this.#isClosed = true;
  }

  #prepareFor(bytes: number): void {
    const file = fstatSync(this.#fd);
    // In trouble, too: all may be well under the name.
    if (file.nlink === 0 || this.#mustLook || this.#told.has('cannot be written')) this.#openAnew(file);
    else if (file.size > 0 && file.size + bytes > this.#limits.maxBytes) this.#rotate(file);
  }

  #note(written: number, bytes: Buffer): number {
    this.#isMidLine = written < bytes.length;
    if (!this.#isMidLine) this.#told.delete('cannot be written');
    return written;
  }

  #rotate(file: Stats): void {
    const { nowMs, path, tryLock } = this.#options;
    // A pipe or a device has no size that could be rotated away.
    if (!file.isFile() || nowMs() < this.#nextRotationMs) return;
    try {
      // Whoever has the lock rotates now; until it is done, lines go to this file.
      if (!tryLock(this.#fd)) return;
      if (isSameFile(file, statSync(path, { throwIfNoEntry: false }))) rotate(path, this.#limits.maxFiles);
      this.#openAnew(file);
      this.#told.delete('cannot be rotated');
    } catch (error) {
      // Too long is better than not at all.
      this.#nextRotationMs = nowMs() + RETRY_MS;
      this.#tell('cannot be rotated', error);
    }
  }

  #openAnew(file: Stats): void {
    const { path } = this.#options;
    if (!isSameFile(file, statSync(path, { throwIfNoEntry: false }))) {
      const fd = openSync(path, FLAGS, MODE);
      closeSync(this.#fd);
      this.#fd = fd;
    }
    this.#mustLook = false;
  }

  #tell(trouble: Trouble, error: unknown): void {
    if (!this.#told.has(trouble)) this.#options.onTrouble(`the log file ${trouble}: ${foreignMessage(error)}`);
    this.#told.add(trouble);
  }
}

function isSameFile(one: Stats, other: Stats | undefined): boolean {
  return other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
