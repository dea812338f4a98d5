/**
 * A connection to Redis for one reading: nothing is kept open between two, so there is nothing that could break meanwhile,
 * reconnect in the background or be forgotten at the end.
 */
import { createClient } from 'redis';
import type { RedisAccess } from '../../../application/proxy-config.js';
import { MAX_VALUE_BYTES } from './redis-backend.js';

export interface ScanStep {
  readonly cursor: string;
  readonly keys: readonly string[];
}

/** Of the older protocol: servers before 6.0 know no other. */
const PROTOCOL = 2;

function clientFor({ url, password, db, connectTimeoutMs }: RedisAccess) {
  const { hostname, port, protocol, username, password: inUrl, pathname } = new URL(url);
  const inPath = Number(pathname.slice(1));
  const credential = password ?? decodeURIComponent(inUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = { host, port: Number(port || '6379'), connectTimeout: connectTimeoutMs };
  return createClient({
    RESP: PROTOCOL,
    socket: { ...socket, reconnectStrategy: false, ...(protocol === 'rediss:' ? { tls: true } : {}) },
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(credential === '' ? {} : { password: credential }),
    database: db ?? inPath,
    disableClientInfo: true,
    disableOfflineQueue: true,
  });
}

export class RedisConnection {
  readonly #client: ReturnType<typeof clientFor>;
  readonly #access: RedisAccess;
  #isClosed = false;

  constructor(access: RedisAccess) {
    this.#access = access;
    this.#client = clientFor(access);
    // What is wrong rejects the call that waits for it.
    this.#client.on('error', () => undefined);
  }

  async open(): Promise<void> {
    const { connectTimeoutMs, commandTimeoutMs } = this.#access;
    // Connecting ends with commands of its own: who it is, which database.
    await this.#inTime(this.#client.connect(), connectTimeoutMs + commandTimeoutMs);
  }

  scan(cursor: string, pattern: string, count: number): Promise<ScanStep> {
    return this.#command(this.#client.scan(cursor, { MATCH: pattern, COUNT: count }));
  }

  /** The values, '' where there is none, null where it is no text; one byte more than may be of those that are too long. */
  values(keys: readonly string[]): Promise<readonly (string | null)[]> {
    const asked = keys.map((key) =>
      this.#client.getRange(key, 0, MAX_VALUE_BYTES).catch((error: unknown) => {
        if (isWrongType(error)) return null;
        throw error;
      }),
    );
    return this.#command(Promise.all(asked));
  }

  /** Idempotent; what is under way rejects. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Throws where it never was open.
    if (this.#client.isOpen) this.#client.destroy();
  }

  #command<T>(answer: Promise<T>): Promise<T> {
    return this.#inTime(answer, this.#access.commandTimeoutMs);
  }

  async #inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer within ${timeoutMs} ms`));
      }, timeoutMs);
    });
    // Where the time has run out, nobody waits for it any more.
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE');
}
