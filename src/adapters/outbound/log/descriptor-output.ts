/**
 * A descriptor to which a write never blocks. Standard output may be a pipe that nobody reads or a stopped terminal,
 * and O_NONBLOCK belongs to the open file, which parent and siblings share: setting it would surprise them (a shell's
 * `cat` fails with EAGAIN). Opening /proc/self/fd/N again gives an open file of our own.
 *
 * Sockets (systemd's journal) and pipes of another user cannot be opened again; libuv then sets the flag on the shared
 * one. A regular file never blocks for long and keeps its descriptor, and with it its position.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { LineOutput } from './line-output.js';

interface OutputDescriptor {
  readonly fd: number;
  close(): void;
}

/** A pipe that is full empties in jumps; looking 20 times a second is cheap and fast enough for a log. */
const RETRY_MS = 50;

const REOPEN_FLAGS = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY;

/** A pipe, a terminal, a socket or a file that somebody else has opened. */
export class DescriptorOutput implements LineOutput {
  readonly retryMs = RETRY_MS;
  readonly #output: OutputDescriptor;

  constructor(fd: number) {
    this.#output = openOutputDescriptor(fd);
  }

  /** Null where the output is gone or full (EPIPE, ENOSPC, EIO), 0 where the reader is behind. */
  write(bytes: Buffer): number | null {
    try {
      return writeSync(this.#output.fd, bytes);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      return code === 'EAGAIN' || code === 'EINTR' ? 0 : null;
    }
  }

  close(): void {
    this.#output.close();
  }
}

function openOutputDescriptor(fd: number): OutputDescriptor {
  const kind = fstatSync(fd);
  if (kind.isFile()) return borrowed(fd);
  if (!kind.isSocket()) {
    const own = reopen(fd);
    if (own !== null) return { fd: own, close: () => closeSync(own) };
  }
  return madeNonBlocking(fd);
}

function borrowed(fd: number): OutputDescriptor {
  return { fd, close: () => undefined };
}

function reopen(fd: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, REOPEN_FLAGS);
  } catch {
    return null;
  }
}

/** The stream is never written to: it is there for the flag that libuv sets, and must live as long as the descriptor. */
function madeNonBlocking(fd: number): OutputDescriptor {
  try {
    const holder = new Socket({ fd, readable: false, writable: true });
    holder.on('error', () => undefined);
    holder.unref();
    return { fd, close: () => holder.unref() };
  } catch {
    // Neither pipe nor socket nor to be opened: writes may block, as every other program's do there.
    return borrowed(fd);
  }
}
