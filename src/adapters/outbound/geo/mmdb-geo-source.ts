import { stat } from 'node:fs/promises';
import type { GeoRegion, GeoSource } from '../../../application/ports/geo-source.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { foreignMessage } from '../foreign-message.js';
import { settledWithin } from '../settled-within.js';
import { threadFile } from '../thread-file.js';
import { ThreadPool } from '../thread-pool.js';
import { fileIdentity, type FileIdentity } from './file-identity.js';
import type { CompiledGeo, GeoCompileResult, GeoCompileTask } from './geo-compile.worker.js';
import { geoError } from './geo-error.js';
import { DEFAULT_GEO_LIMITS, type GeoLimits } from './geo-limits.js';
import { unreadable } from './mmdb-file.js';
import { makeGeoRegion, type RegionMaker } from './region-factory.js';

const CLOSE_TIMEOUT_MS = 1000;

/**
 * A MaxMind DB file. Whether it has changed is seen by stat alone; reading and compiling happen on a thread with bounded
 * time and heap, which ends when it is done. What a file was refused for is not tried again until the file changes.
 */
export class MmdbGeoSource implements GeoSource {
  readonly #path: string;
  readonly #maker: RegionMaker;
  readonly #limits: GeoLimits;
  readonly #pool: ThreadPool<GeoCompileTask, GeoCompileResult>;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  /** State of the file at the last attempt, or the code of the error where there was none. */
  #identity: FileIdentity | null = null;
  /** What that attempt was refused for, null where it was loaded. */
  #refusal: EdgeproxyError | null = null;

  constructor(path: string, maker: RegionMaker, limits: GeoLimits = DEFAULT_GEO_LIMITS) {
    this.#path = path;
    this.#maker = maker;
    this.#limits = limits;
    this.#pool = new ThreadPool({
      filename: threadFile(import.meta.url, 'geo-compile.worker'),
      name: 'compileGeo',
      isKept: false,
      maxHeapMb: limits.maxHeapMb,
    });
  }

  /**
   * See the port. What was refused rejects with the same error, without being read again, while the file stays the same.
   * Calls take turns.
   */
  loadIfChanged(): Promise<GeoRegion | null> {
    const turn = this.#lastTurn.then(() => this.#load());
    this.#lastTurn = turn.catch(() => null);
    return turn;
  }

  /** Waits for the load under way, but not for long: a disk or file server may never answer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.close();
    await settledWithin(this.#lastTurn, CLOSE_TIMEOUT_MS);
  }

  async #load(): Promise<GeoRegion | null> {
    if (this.#isClosed) throw this.#loadError('a source that has been closed', undefined);
    const stats = await stat(this.#path, { bigint: true }).catch((error: unknown) => unreadable(this.#path, error));
    const identity = stats instanceof EdgeproxyError ? stats.code : fileIdentity(stats);
    if (identity === this.#identity) {
      if (this.#refusal !== null) throw this.#refusal;
      return null;
    }
    const compiled = stats instanceof EdgeproxyError ? stats : await this.#compile();
    if (compiled instanceof EdgeproxyError) {
      const refusal = ofFile(compiled, identity);
      if (!refusal.isRetryable) this.#remember(identity, refusal);
      throw refusal;
    }
    const region = await this.#copy(compiled.region);
    this.#remember(compiled.identity, null);
    return region;
  }

  #remember(identity: string, refusal: EdgeproxyError | null): void {
    this.#identity = identity;
    this.#refusal = refusal;
  }

  async #compile(): Promise<CompiledGeo | EdgeproxyError> {
    const { loadTimeoutMs, maxHeapMb } = this.#limits;
    try {
      const signal = AbortSignal.timeout(loadTimeoutMs);
      const result = await this.#pool.run({ path: this.#path, limits: this.#limits }, { signal });
      return 'failure' in result ? geoError(result.failure) : result;
    } catch (error) {
      if (isNamed(error, 'AbortError'))
        return this.#tooLarge(`one that takes longer than ${loadTimeoutMs} ms to load`, error);
      if (isNamed(error, 'ERR_WORKER_OUT_OF_MEMORY'))
        return this.#tooLarge(`one that takes more than ${maxHeapMb} MB of heap`, error);
      return this.#loadError(`a failed thread: ${foreignMessage(error)}`, error);
    }
  }

  async #copy(compiled: SharedArrayBuffer): Promise<GeoRegion> {
    try {
      return await makeGeoRegion(this.#maker, compiled.byteLength, (region) => region.set(new Uint8Array(compiled)));
    } catch (error) {
      throw this.#loadError(`no memory for it: ${foreignMessage(error)}`, error);
    }
  }

  #tooLarge(found: string, cause: unknown): EdgeproxyError {
    return geoError(
      { code: 'EP_GEO_TOO_LARGE', path: this.#path, found, expected: 'a database within the limits' },
      cause,
    );
  }

  #loadError(found: string, cause: unknown): EdgeproxyError {
    return geoError({ code: 'EP_GEO_LOAD', path: this.#path, found, expected: 'a load without failure' }, cause);
  }
}

/** The same error, which tells the file apart from another one that is refused for the same reason. */
function ofFile(
  { code, message, source, isRetryable, context, cause }: EdgeproxyError,
  identity: string,
): EdgeproxyError {
  const options = { source, isRetryable, context: { ...context, identity }, cause };
  return new EdgeproxyError(code as `EP_${string}`, message, options);
}

/** Errors of threads and signals are told apart by code or name: their classes are not exported. */
function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && (error.name === name || ('code' in error && error.code === name));
}
