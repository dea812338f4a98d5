import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ChangeOutcome, RegistrationStore, StoredChange } from '../../../application/ports/registration-store.js';
import type { Heartbeat } from '../../../domain/discovery/registrations.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { foreignMessage } from '../foreign-message.js';
import { threadFile } from '../thread-file.js';
import { ThreadPool } from '../thread-pool.js';
import type { StoreAnswer, StoreRequest } from './registration-tables.worker.js';
import { databaseError } from './sqlite-failure.js';

/** A file system that hangs must not keep everybody waiting for ever. */
const CALL_TIMEOUT_MS = 10_000;

export class SqliteRegistrationStore implements RegistrationStore {
  readonly #path: string;
  readonly #maxBackends: number;
  readonly #thread = new ThreadPool<StoreRequest, StoreAnswer>({
    filename: threadFile(import.meta.url, 'registration-tables.worker'),
    name: 'storeRegistrations',
    isKept: true,
  });

  constructor(path: string, maxBackends: number) {
    this.#path = resolve(path);
    this.#maxBackends = maxBackends;
  }

  async load(): Promise<readonly Heartbeat[]> {
    // One that is made at this moment has nobody in it.
    if (!existsSync(this.#path)) return [];
    const answer = await this.#ask({ kind: 'load', path: this.#path });
    return answer.kind === 'loaded' ? answer.heartbeats : [];
  }

  async write(changes: readonly StoredChange[], heartbeats: readonly Heartbeat[]): Promise<readonly ChangeOutcome[]> {
    const maxBackends = this.#maxBackends;
    const answer = await this.#ask({ kind: 'write', path: this.#path, maxBackends, changes, heartbeats });
    return answer.kind === 'written' ? answer.outcomes : [];
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async #ask(request: StoreRequest): Promise<StoreAnswer> {
    const answer = await this.#inTime(this.#thread.run(request));
    if (answer.kind !== 'failed') return answer;
    const { code, message, ...rest } = answer.failure;
    throw new EdgeproxyError(code, message, rest);
  }

  async #inTime(answer: Promise<StoreAnswer>): Promise<StoreAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#failure('EP_DB_TIMEOUT', 'has not answered in time')), CALL_TIMEOUT_MS);
    });
    // Whichever comes second is nobody's.
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, timeout]);
    } catch (cause) {
      if (cause instanceof EdgeproxyError) throw cause;
      throw this.#failure('EP_DB_FAILED', `cannot be written (${foreignMessage(cause)})`, cause);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(code: `EP_DB_${string}`, reason: string, cause?: unknown): EdgeproxyError {
    return databaseError(this.#path, code, reason, { isRetryable: true, cause });
  }
}
