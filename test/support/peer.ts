/**
 * One end of a TCP connection, read by pulling: what a test has not asked for stays in the kernel, so a peer that does not
 * read is a stalled reader. Half-open: the end of the other side ends nothing here.
 */
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { within } from './eventually.js';
import type { DuplexOptions } from 'node:stream';
import type { Owner } from './scratch-directory.js';

/**
 * Options of a socket that stops reading after each chunk. With others, libuv reports a reset that comes together with
 * bytes as an end (it takes EPOLLHUP for one after a short read, unless reading has stopped by then): "reset" and "cut short
 * silently" look the same to whoever has ended itself.
 */
export const PULL_EACH_CHUNK = { highWaterMark: 1, readableHighWaterMark: 1 } as const;

/** How the other side ended: FIN, or the code of the error. */
export type Ending = 'end' | 'ECONNRESET' | 'EPIPE' | 'ETIMEDOUT' | 'ECONNREFUSED' | (string & {});

export class Peer {
  readonly socket: Socket;
  /** Settles when this end's socket is closed for good. */
  readonly closed: Promise<void>;
  #error: NodeJS.ErrnoException | null = null;
  readonly #waiting: (() => void)[] = [];
  readonly #wake = (): void => {
    for (const resolve of this.#waiting.splice(0)) resolve();
  };
  #isPulling = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', (error) => (this.#error ??= error));
    for (const event of ['end', 'error', 'close']) socket.on(event, this.#wake);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  get localPort(): number {
    return this.socket.localPort ?? 0;
  }

  /** Resolves when the bytes are with the kernel: under back-pressure, when the other side has read. */
  write(bytes: Uint8Array | string): Promise<void> {
    return within('bytes are written', this.#write(bytes));
  }

  /** As `write`, but with no deadline: for a reader that stalls. */
  writeSlowly(bytes: Uint8Array | string): Promise<void> {
    return this.#write(bytes);
  }

  /** Exactly that many bytes; rejects where the other side ends before. */
  read(bytes: number): Promise<Buffer> {
    return within(`${bytes} bytes arrive`, this.#read(bytes));
  }

  /** Everything until the other side's end; rejects on a reset. */
  async readToEnd(): Promise<Buffer> {
    const { bytes, ending } = await this.drain();
    if (ending !== 'end') throw new Error(`${ending} after ${bytes.length} bytes instead of an end`);
    return bytes;
  }

  /** Everything until the other side ends in whatever way, and how it did. */
  drain(deadlineMs?: number): Promise<{ readonly bytes: Buffer; readonly ending: Ending }> {
    return within('the other side ends', this.#drain(), deadlineMs);
  }

  /** What arrives, as it arrives, until the other side ends in whatever way. */
  async *chunks(): AsyncGenerator<Buffer> {
    do {
      for (let chunk = this.#take(); chunk !== null; chunk = this.#take()) yield chunk;
    } while (await this.#change());
  }

  /** How the other side ends; what it sends before is dropped. */
  async ending(deadlineMs?: number): Promise<Ending> {
    return (await this.drain(deadlineMs)).ending;
  }

  /** Sends `bytes`, then FIN; reading goes on. Resolves when all of that is with the kernel. */
  end(bytes: Uint8Array | string = ''): Promise<void> {
    return within('bytes and end are sent', new Promise((resolve) => this.socket.end(bytes, () => resolve())));
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** close(2): a FIN, or a RST where unread bytes wait. */
  close(): void {
    this.socket.destroy();
  }

  #write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async #read(bytes: number): Promise<Buffer> {
    for (;;) {
      const chunk = this.socket.read(bytes) as Buffer | null;
      if (chunk?.length === bytes) return chunk;
      if (chunk !== null) throw new Error(`the other side ended after ${chunk.length} of ${bytes} bytes`);
      if (!(await this.#change())) throw this.#error ?? new Error(`the other side ended before ${bytes} bytes`);
    }
  }

  async #drain(): Promise<{ bytes: Buffer; ending: Ending }> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.chunks()) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), ending: this.#endingSeen() };
  }

  /**
   * libuv reports a reset that finds bytes unread as their end. The kernel knows better: a socket that was reset has no
   * peer, one that has got a FIN and sent none still has. Nobody may ask for the peer before, for Node.js remembers it.
   */
  #endingSeen(): Ending {
    if (this.#error !== null) return this.#error.code ?? 'unknown';
    const { writableEnded, remotePort } = this.socket;
    return writableEnded || remotePort !== undefined ? 'end' : 'ECONNRESET';
  }

  #take(): Buffer | null {
    return this.socket.read() as Buffer | null;
  }

  /** Waits for something to read; false when nothing more will come. */
  async #change(): Promise<boolean> {
    const { socket } = this;
    if (this.#error !== null || socket.readableEnded || socket.destroyed) return false;
    const change = new Promise<void>((resolve) => this.#waiting.push(resolve));
    // Not before the first pull, for it ends flowing mode, and only once, for it brings an event for what is known already.
    if (!this.#isPulling) socket.on('readable', this.#wake);
    this.#isPulling = true;
    await change;
    // Not from within libuv's read callback: see PULL_EACH_CHUNK.
    await nextTurn();
    return true;
  }
}

/** A connected client; destroyed when the owner ends. */
export async function connectPeer(
  owner: Owner,
  to: { readonly port: number; readonly address: string },
  options: Partial<TcpNetConnectOpts & DuplexOptions> = {},
): Promise<Peer> {
  const socket = connect({ host: to.address, port: to.port, allowHalfOpen: true, noDelay: true, ...options });
  const peer = new Peer(socket);
  owner.after(() => {
    socket.destroy();
  });
  await within(
    'the client connects',
    new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
  );
  return peer;
}

/** How a client that says nothing fares, where the proxy may reset it before this process has seen its connect succeed. */
export async function endingOfClient(
  owner: Owner,
  to: { readonly port: number; readonly address: string },
  deadlineMs?: number,
): Promise<Ending> {
  try {
    return await (await connectPeer(owner, to)).ending(deadlineMs);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return code;
  }
}
