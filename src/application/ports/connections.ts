import type { Cidr } from '../../domain/cidr.js';
import type { ConnectionState } from '../../domain/shared/batch-layout.js';
import type { ListenerProtocol } from '../listener-config.js';

/** A connection, or a UDP session, as it was at one moment. */
export interface ConnectionInfo {
  /** Its own for as long as it lives, and nobody's afterwards. */
  readonly id: string;
  readonly worker: number;
  readonly protocol: ListenerProtocol;
  readonly state: ConnectionState;
  /** The listener's name. */
  readonly listener: string;
  readonly clientAddress: string;
  readonly clientPort: number;
  /** null while it has none. */
  readonly backend: ConnectionBackend | null;
  /** The rule that has chosen the backend; null where none has. */
  readonly rule: string | null;
  /** null where nobody has looked for it. */
  readonly serverName: string | null;
  readonly ageMs: number;
  readonly idleMs: number;
  readonly bytesToClient: number;
  readonly bytesFromClient: number;
}

export interface ConnectionBackend {
  /** null of one that is known no more. */
  readonly id: string | null;
  readonly slot: number;
  /** Where the connection leads; of a Unix socket `unix:` and the path, port 0. */
  readonly address: string;
  readonly port: number;
}

/** What a connection must have to be meant; all of them where nothing is said. */
export interface ConnectionFilter {
  /** Id. */
  readonly backend?: string;
  readonly client?: Cidr;
  /** Name. */
  readonly listener?: string;
  readonly worker?: number;
}

/** Where a page begins. */
export interface ConnectionCursor {
  readonly worker: number;
  readonly position: number;
}

export interface ConnectionPage {
  readonly connections: readonly ConnectionInfo[];
  /** null behind the last page. */
  readonly next: ConnectionCursor | null;
  /** Workers that have not answered in time: theirs are not on the page. */
  readonly missingWorkers: readonly number[];
}

export interface KillReport {
  readonly killed: number;
  /** There may be more: this call has done as much as one may. */
  readonly isPartial: boolean;
  readonly missingWorkers: readonly number[];
}

export type KillOutcome = 'killed' | 'unknown' | 'unanswered';

/** The connections of all workers. */
export interface Connections {
  /** By worker, and by place there. A page may be empty and have a next one. */
  list(filter: ConnectionFilter, from: ConnectionCursor, limit: number): Promise<ConnectionPage>;
  /** Resets it. */
  kill(id: string): Promise<KillOutcome>;
  /** Resets at most `limit`. */
  killMany(filter: ConnectionFilter, limit: number): Promise<KillReport>;
}
