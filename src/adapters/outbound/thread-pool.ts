/**
 * A thread for blocking work, made when it is first needed and made anew after it has failed.
 *
 * A thread that cannot be started (no descriptor, no memory) must cost no more than the call that wanted it. piscina then
 * either fails the task, or tells its pool's listeners and leaves the task waiting, and in both cases starts no thread
 * any more; so a pool that has failed once is thrown away.
 *
 * piscina is loaded with the first thread: it costs 20 ms, which start-up does without. Where it lies is found out at
 * once, though: looked for without a descriptor left, Node.js would remember for good that there is no such package.
 */
import { createRequire } from 'node:module';
import type { Piscina } from 'piscina';
import { settledWithin } from './settled-within.js';

export interface ThreadPoolOptions {
  /** See threadFile. */
  readonly filename: string;
  /** The exported function that takes the tasks. It returns its failures: what it throws costs the thread. */
  readonly name: string;
  /** True keeps the thread between tasks, false ends it when it is idle. */
  readonly isKept: boolean;
  /** Most JavaScript heap; Node's default unless given. */
  readonly maxHeapMb?: number;
}

interface PiscinaModule {
  readonly Piscina: typeof Piscina;
}

/** A thread that hangs in a system call (a dead NFS server) cannot be ended; whoever closes it waits no longer than this. */
const CLOSE_TIMEOUT_MS = 1000;

const require = createRequire(import.meta.url);
const PISCINA_PATH = require.resolve('piscina');

/** Of at most one thread. */
export class ThreadPool<Task, Answer> {
  readonly #options: ThreadPoolOptions;
  #pool: Piscina<Task, Answer> | null = null;
  /** Settles, always well, when the last task has. */
  #task: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /** Rejects with what the thread failed with, or an AbortError. The next call has a new thread then. */
  async run(task: Task, options: { readonly signal?: AbortSignal } = {}): Promise<Answer> {
    if (this.#isClosed) throw new Error('the thread has been closed');
    const pool = (this.#pool ??= this.#start());
    let onError: (error: Error) => void = () => undefined;
    const failure = new Promise<never>((_resolve, reject) => pool.once('error', (onError = reject)));
    const answer = pool.run(task, options);
    this.#task = answer.catch(() => undefined);
    try {
      return await Promise.race([answer, failure]);
    } catch (error) {
      this.#forget(pool);
      throw error;
    } finally {
      pool.off('error', onError);
    }
  }

  /**
   * Idempotent. Never rejects; later tasks do. Waits for the task under way: a thread that is ended inside of a native
   * module takes the process with it (better-sqlite3 aborts when it cannot throw).
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await settledWithin(this.#task, CLOSE_TIMEOUT_MS);
    const pool = this.#pool;
    this.#pool = null;
    if (pool !== null) await settledWithin(pool.destroy(), CLOSE_TIMEOUT_MS);
  }

  #start(): Piscina<Task, Answer> {
    const { Piscina: Pool } = require(PISCINA_PATH) as PiscinaModule;
    const { filename, name, isKept, maxHeapMb } = this.#options;
    const pool = new Pool<Task, Answer>({
      filename,
      name,
      // None that piscina starts by itself: it would also do so for a thread that ends after its pool.
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: isKept ? Infinity : 0,
      ...(maxHeapMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } }),
    });
    // Also between tasks: without a listener it would be an uncaught exception.
    pool.on('error', () => this.#forget(pool));
    return pool;
  }

  /** Its thread may hang, so nobody waits for its end. Once for each pool: a second destroy() ends the first too early. */
  #forget(pool: Piscina<Task, Answer>): void {
    if (this.#pool !== pool) return;
    this.#pool = null;
    void settledWithin(pool.destroy(), CLOSE_TIMEOUT_MS);
  }
}
