import type { Backend } from '../../domain/backend.js';
import type { RowWarning } from '../../domain/backend-row.js';

export interface RoutingSnapshot {
  readonly backends: readonly Backend[];
  readonly warnings: readonly RowWarning[];
}

/** Where the backends come from. Every method may run on another thread; none blocks the caller's loop. */
export interface RoutingRepository {
  /**
   * All routable rows where the source has changed since the last successful call, null where it has not. Rejects with
   * an EdgeproxyError where the source is locked, damaged or gone; the caller then keeps what it has.
   */
  readIfChanged(): Promise<RoutingSnapshot | null>;
  close(): Promise<void>;
}
