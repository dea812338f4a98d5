import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { RoutingSnapshot } from '../../../application/ports/routing-repository.js';
import { identifyFile, isSameState } from './file-identity.js';
import type { FileIdentity } from './file-identity.js';
import { RoutingConnection } from './routing-connection.js';
import { databaseError, sqliteFailure } from './sqlite-failure.js';

export interface RoutingReading {
  /** Identifies the content: equal digests, equal snapshots. */
  readonly digest: string;
  /** null where the content is what the caller knows. */
  readonly snapshot: RoutingSnapshot | null;
}

export interface RoutingReaderOptions {
  readonly path: string;
  readonly maxBackends: number;
  readonly busyTimeoutMs: number;
}

/** What was true of the file when it was last read, as far as a change can be told by it. */
interface ReadState {
  readonly identity: FileIdentity;
  readonly dataVersion: number;
  readonly digest: string;
}

/**
 * Reads the routing database where it has changed, blocking. Between calls it keeps a connection open: SQLite's data
 * version tells commits of other connections, the file's identity tells a file that was replaced or overwritten. Either
 * of them leads to a reading, and only a reading with another digest is a change.
 */
export class RoutingReader {
  readonly #options: RoutingReaderOptions;
  readonly #path: string;
  #connection: RoutingConnection | null = null;
  #state: ReadState | null = null;

  constructor(options: RoutingReaderOptions) {
    this.#options = options;
    // An absolute path: SQLite would take `:memory:` for a name of its own.
    this.#path = resolve(options.path);
  }

  /** Throws an EdgeproxyError where the file is locked, damaged or gone; the next call starts afresh. */
  read(knownDigest: string | null): RoutingReading {
    try {
      const identity = this.#identify();
      if (this.#state?.digest === knownDigest && this.#isUnchanged(identity)) {
        return { digest: this.#state.digest, snapshot: null };
      }
      return this.#readTable(identity, knownDigest);
    } catch (error) {
      this.close();
      throw sqliteFailure(this.#path, error);
    }
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
    this.#state = null;
  }

  #identify(): FileIdentity {
    const identity = identifyFile(this.#path);
    if (identity === null) throw databaseError(this.#path, 'EP_DB_MISSING', 'does not exist', { isRetryable: true });
    return identity;
  }

  #isUnchanged(identity: FileIdentity): boolean {
    if (this.#connection === null || this.#state === null) return false;
    if (!this.#state.identity.isSettled || !isSameState(this.#state.identity, identity)) return false;
    return this.#connection.dataVersion() === this.#state.dataVersion;
  }

  /** `identity` was taken before the file is opened: where it is replaced in between, the next call sees a difference. */
  #readTable(identity: FileIdentity, knownDigest: string | null): RoutingReading {
    if (this.#state === null || !isSameState(this.#state.identity, identity)) this.close();
    this.#connection ??= new RoutingConnection(this.#path, this.#options.busyTimeoutMs);
    const { backends, warnings, dataVersion } = this.#connection.readTable(this.#options.maxBackends);
    const digest = createHash('sha256')
      .update(JSON.stringify([backends, warnings]))
      .digest('base64');
    this.#state = { identity, dataVersion, digest };
    return { digest, snapshot: digest === knownDigest ? null : { backends, warnings } };
  }
}
