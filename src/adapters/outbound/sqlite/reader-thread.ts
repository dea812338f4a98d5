import type { Piscina } from 'piscina';
import { threadFile } from '../thread-file.js';
import type { ReadAnswer, ReadRequest } from './routing-reader.worker.js';

/** Where the routing database is read without blocking the caller. */
export interface ReaderThread {
  read(request: ReadRequest): Promise<ReadAnswer>;
  close(): Promise<void>;
}

/** A thread that hangs in a system call (a dead NFS server) cannot be ended; whoever closes it waits no longer than this. */
const CLOSE_TIMEOUT_MS = 1000;

/** One thread, started by the first read, that stays, because it holds the open connection. */
export class PiscinaReaderThread implements ReaderThread {
  #pool: Promise<Piscina<ReadRequest, ReadAnswer>> | null = null;

  async read(request: ReadRequest): Promise<ReadAnswer> {
    this.#pool ??= startPool();
    const pool = await this.#pool;
    return pool.run(request);
  }

  async close(): Promise<void> {
    if (this.#pool === null) return;
    const pool = await this.#pool;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)));
    await Promise.race([pool.destroy(), timeout]);
    clearTimeout(timer);
  }
}

/** piscina costs 20 ms to load, and a thread another 40: start-up does without both. */
async function startPool(): Promise<Piscina<ReadRequest, ReadAnswer>> {
  const { Piscina: Pool } = await import('piscina');
  return new Pool<ReadRequest, ReadAnswer>({
    filename: threadFile(import.meta.url, 'routing-reader.worker'),
    name: 'readRoutingDatabase',
    minThreads: 1,
    maxThreads: 1,
  });
}
