import type { RoutingRepository, RoutingSnapshot } from '../../../application/ports/routing-repository.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { foreignMessage } from '../foreign-message.js';
import { PiscinaReaderThread } from './reader-thread.js';
import type { ReaderThread } from './reader-thread.js';
import type { RoutingReading } from './routing-reader.js';
import type { ReadAnswer } from './routing-reader.worker.js';
import { databaseError } from './sqlite-failure.js';

export interface SqliteRoutingRepositoryOptions {
  readonly path: string;
  readonly maxBackends: number;
  /** How long SQLite waits for another process's lock. */
  readonly busyTimeoutMs?: number;
  /** How long a caller waits for the thread. */
  readonly callTimeoutMs?: number;
}

const BUSY_TIMEOUT_MS = 250;
const CALL_TIMEOUT_MS = 10_000;

/**
 * The SQLite routing database. The first reading happens in this thread, before there is anything to block: it takes a few
 * milliseconds, and a thread would take sixty to start. It also creates the file where there is none. All later
 * readings happen in a thread that keeps its connection; calls that overlap share one reading.
 */
export class SqliteRoutingRepository implements RoutingRepository {
  readonly #options: Required<SqliteRoutingRepositoryOptions>;
  readonly #thread: ReaderThread;
  /** Digest of the snapshot delivered last. */
  #digest: string | null = null;
  #isStarted = false;
  #closing: Promise<void> | null = null;
  #current: Promise<RoutingSnapshot | null> | null = null;
  /** True from a call's timeout until the thread has answered that call after all. */
  #isHung = false;

  constructor(options: SqliteRoutingRepositoryOptions, thread: ReaderThread = new PiscinaReaderThread()) {
    this.#options = { busyTimeoutMs: BUSY_TIMEOUT_MS, callTimeoutMs: CALL_TIMEOUT_MS, ...options };
    this.#thread = thread;
  }

  async readIfChanged(): Promise<RoutingSnapshot | null> {
    if (this.#closing !== null) throw this.#closed();
    if (this.#isHung) throw this.#hung();
    this.#current ??= this.#read().finally(() => (this.#current = null));
    return this.#current;
  }

  close(): Promise<void> {
    this.#closing ??= this.#thread.close();
    return this.#closing;
  }

  async #read(): Promise<RoutingSnapshot | null> {
    const reading = this.#isStarted ? await this.#readInThread() : await this.#readHere();
    this.#digest = reading.digest;
    return reading.snapshot;
  }

  async #readHere(): Promise<RoutingReading> {
    this.#isStarted = true;
    // Loaded only now: workers are starting, who must not wait for SQLite.
    const { readFirst } = await import('./first-reading.js');
    return readFirst(this.#options);
  }

  async #readInThread(): Promise<RoutingReading> {
    const answer = await this.#inTime(this.#thread.read({ ...this.#options, knownDigest: this.#digest }));
    if (answer.isOk) return answer.reading;
    const { code, message, ...rest } = answer.failure;
    throw new EdgeproxyError(code, message, rest);
  }

  /** Gives up waiting after the call's timeout; the thread is not asked again before it has answered. */
  async #inTime(answer: Promise<ReadAnswer>): Promise<ReadAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#isHung = true;
        reject(this.#hung());
      }, this.#options.callTimeoutMs);
    });
    const settled = answer.finally(() => {
      clearTimeout(timer);
      this.#isHung = false;
    });
    try {
      return await Promise.race([settled, timeout]);
    } catch (error) {
      throw error instanceof EdgeproxyError ? error : this.#threadFailure(error);
    }
  }

  #threadFailure(cause: unknown): EdgeproxyError {
    if (this.#closing !== null) return this.#closed();
    return databaseError(this.#options.path, 'EP_DB_FAILED', `cannot be used (${foreignMessage(cause)})`, {
      isRetryable: true,
      cause,
    });
  }

  #closed(): EdgeproxyError {
    return databaseError(this.#options.path, 'EP_DB_CLOSED', 'is no longer read', { isRetryable: false });
  }

  #hung(): EdgeproxyError {
    const reason = `has not answered within ${this.#options.callTimeoutMs} ms`;
    return databaseError(this.#options.path, 'EP_DB_TIMEOUT', reason, { isRetryable: true });
  }
}
