import type { ChangeOutcome, RowValues } from './registration-store.js';

/** A backend as it registers itself, already checked; what is not given keeps its value or gets its default. */
export interface Registration {
  readonly id: string;
  readonly values: RowValues;
}

/**
 * Backends that come and go, and what is changed about them while the proxy runs. What it resolves with is in the routing
 * database and in force; it rejects with an EdgeproxyError where that cannot be, and has changed nothing then.
 */
export interface BackendDirectory {
  /** How many are registered. */
  readonly count: number;
  /** The same again is an update. */
  register(registration: Registration): Promise<ChangeOutcome>;
  /** False where nobody of that id has registered. */
  heartbeat(id: string): boolean;
  /** Of the last heartbeat; null where nobody of that id has registered. */
  heartbeatAgeSecs(id: string): number | null;
  /** Also of one that was not registered, where it is a row of the routing database. */
  change(id: string, values: RowValues): Promise<ChangeOutcome>;
  remove(id: string): Promise<ChangeOutcome>;
}
