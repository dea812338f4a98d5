import type { Backend } from '../../domain/backend.js';

/** A row that could not be routed, or that lost a value: what was wrong, in words for the log. */
export interface RowWarning {
  /** The row's id where it has one, else its position, for instance `row 3`. */
  readonly row: string;
  readonly column: string;
  readonly reason: string;
  /** True where the row is left out, false where it got a default. */
  readonly isSkipped: boolean;
}

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
