import { threadFile } from '../thread-file.js';
import { ThreadPool } from '../thread-pool.js';
import type { ReadAnswer, ReadRequest } from './routing-reader.worker.js';

/** Where the routing database is read without blocking the caller. */
export interface ReaderThread {
  /** Rejects where there is no thread to ask; another call may find one. */
  read(request: ReadRequest): Promise<ReadAnswer>;
  close(): Promise<void>;
}

/** One thread, started by the first read, that stays, because it holds the open connection. */
export class PiscinaReaderThread implements ReaderThread {
  readonly #pool = new ThreadPool<ReadRequest, ReadAnswer>({
    filename: threadFile(import.meta.url, 'routing-reader.worker'),
    name: 'readRoutingDatabase',
    isKept: true,
  });

  read(request: ReadRequest): Promise<ReadAnswer> {
    return this.#pool.run(request);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
