/** Backends that are kept in Redis, one key each; read in bounded portions, over as many connections as it may have. */
import type { RoutingRepository, RoutingSnapshot } from '../../../application/ports/routing-repository.js';
import type { RedisAccess } from '../../../application/proxy-config.js';
import { isPlainText, type BackendRowReading } from '../../../domain/backend-row.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { foreignMessage } from '../foreign-message.js';
import { ID_PREFIX, MAX_VALUE_BYTES, readRedisBackend, skipped } from './redis-backend.js';
import type { RedisConnection } from './redis-connection.js';

export interface RedisRoutingOptions extends RedisAccess {
  readonly maxBackends: number;
}

const KEY_PREFIX = 'proxy:backends:';
/** Keys that the server looks at in one step, which it does not interrupt. */
const SCAN_COUNT = 512;
const KEYS_PER_REQUEST = 256;
/** For a whole reading: of a database with many millions of other keys it would not end. */
const READING_MS = 60_000;

export class RedisRoutingRepository implements RoutingRepository {
  readonly #options: RedisRoutingOptions;
  readonly #open = new Set<RedisConnection>();
  #delivered = '';
  #isClosed = false;

  constructor(options: RedisRoutingOptions) {
    this.#options = options;
  }

  async readIfChanged(): Promise<RoutingSnapshot | null> {
    try {
      const snapshot = await this.#read();
      const text = JSON.stringify(snapshot);
      if (text === this.#delivered) return null;
      this.#delivered = text;
      return snapshot;
    } catch (cause) {
      throw this.#failure(cause);
    } finally {
      for (const connection of this.#open) connection.close();
      this.#open.clear();
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#open) connection.close();
    return Promise.resolve();
  }

  async #read(): Promise<RoutingSnapshot> {
    const endsAtMs = performance.now() + READING_MS;
    const first = await this.#connect();
    const keys = await this.#keys(first, endsAtMs);
    const portions: string[][] = [];
    for (let at = 0; at < keys.length; at += KEYS_PER_REQUEST) portions.push(keys.slice(at, at + KEYS_PER_REQUEST));
    const readings = new Map<string, BackendRowReading>();
    const more = Math.min(this.#options.poolSize, portions.length) - 1;
    const connections = [
      first,
      ...(await Promise.all(Array.from({ length: Math.max(0, more) }, () => this.#connect()))),
    ];
    await Promise.all(connections.map((connection) => readPortions(connection, portions, readings, endsAtMs)));
    // In the order of their names: SCAN has none, and what has not changed must look the same.
    const inOrder = keys.flatMap((key) => readings.get(key) ?? []);
    return {
      backends: inOrder.flatMap(({ backend }) => backend ?? []),
      warnings: inOrder.flatMap(({ warnings }) => warnings),
    };
  }

  async #keys(connection: RedisConnection, endsAtMs: number): Promise<string[]> {
    const { maxBackends } = this.#options;
    const keys = new Set<string>();
    let cursor = '0';
    do {
      const step = await connection.scan(cursor, `${KEY_PREFIX}*`, SCAN_COUNT);
      for (const key of step.keys) keys.add(key);
      if (keys.size > maxBackends) throw new Error(`it has more than ${maxBackends} backends`);
      cursor = step.cursor;
      assertTime(endsAtMs);
    } while (cursor !== '0');
    return [...keys].sort();
  }

  async #connect(): Promise<RedisConnection> {
    // Loaded only now: workers start meanwhile.
    const loaded = await import('./redis-connection.js');
    if (this.#isClosed) throw new Error('it is no longer read');
    const connection = new loaded.RedisConnection(this.#options);
    this.#open.add(connection);
    await connection.open();
    return connection;
  }

  /** Says nothing of the URL, which may hold the password. */
  #failure(cause: unknown): EdgeproxyError {
    return new EdgeproxyError('EP_REDIS', `Redis cannot be read: ${foreignMessage(cause)}.`, {
      source: 'backend',
      isRetryable: true,
    });
  }
}

/** Until none is left: each connection takes the next one. */
async function readPortions(
  connection: RedisConnection,
  portions: string[][],
  readings: Map<string, BackendRowReading>,
  endsAtMs: number,
): Promise<void> {
  for (let keys = portions.pop(); keys !== undefined; keys = portions.pop()) {
    const values = await connection.values(keys);
    for (const [index, key] of keys.entries()) readings.set(key, readValue(key, values[index] ?? null));
    assertTime(endsAtMs);
  }
}

function readValue(key: string, value: string | null): BackendRowReading {
  const name = key.slice(KEY_PREFIX.length);
  if (name === '' || !isPlainText(ID_PREFIX + name)) return skipped('(unprintable)', 'key', 'is no name');
  // Gone since it was listed.
  if (value === '') return { backend: null, warnings: [] };
  if (value === null) return skipped(name, 'value', 'is no string');
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES)
    return skipped(name, 'value', `is longer than ${MAX_VALUE_BYTES} bytes`);
  return readRedisBackend(name, value);
}

function assertTime(endsAtMs: number): void {
  if (performance.now() > endsAtMs) throw new Error(`reading it took longer than ${READING_MS} ms`);
}
