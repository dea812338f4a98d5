import type { BackendColumn } from '../../domain/backend-row.js';
import type { Heartbeat } from '../../domain/discovery/registrations.js';

/** Values of a row by column, already checked; null takes one away from a column that may be without. */
export type RowValues = Readonly<Partial<Record<BackendColumn, string | number | null>>>;

export type StoredChange =
  /** Columns that are not given keep their values, or get their defaults where the backend is a new one. */
  | { readonly kind: 'register'; readonly id: string; readonly values: RowValues; readonly defaults: RowValues }
  | { readonly kind: 'change'; readonly id: string; readonly values: RowValues }
  | { readonly kind: 'remove'; readonly id: string };

/**
 * `unknown`: there is no such row; `foreign`: the row was not registered, so it is not to be registered over; `full`: there
 * are as many backends as can be; `refused`: the table has a rule of its own against it.
 */
export type ChangeOutcome =
  | { readonly kind: 'added' | 'changed' | 'removed' | 'unknown' | 'foreign' | 'full' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Where registered backends are kept. Nothing of it blocks the caller; everything rejects with an EdgeproxyError. */
export interface RegistrationStore {
  /** Those whose rows are there and not deleted. */
  load(): Promise<readonly Heartbeat[]>;
  /** All of it or, where it rejects, nothing. The outcomes are in the order of the changes. */
  write(changes: readonly StoredChange[], heartbeats: readonly Heartbeat[]): Promise<readonly ChangeOutcome[]>;
  /** Waits a moment for what is under way. Idempotent. */
  close(): Promise<void>;
}
