/** What the primary asks a worker about its connections, and what it answers; as JSON, through the worker's IPC channel. */
import type { ConnectionState } from '../domain/shared/batch-layout.js';

/** -1 = any; of clients a network, whose prefix of 0 bits has all. */
export interface WorkerFilter {
  readonly slot: number;
  /** BACKEND.OWNER of that slot: with another one its connections are not those that are meant. */
  readonly owner: number;
  readonly listener: number;
  readonly prefixBits: number;
  /** Four words. */
  readonly network: readonly number[];
}

/** A connection among all that a place of workers has ever had. */
export interface ConnectionName {
  /** The worker's: random, for it has successors. */
  readonly life: number;
  readonly isUdp: boolean;
  readonly index: number;
  readonly generation: number;
}

export type ConnectionQuestion =
  | { readonly ask: 'list'; readonly filter: WorkerFilter; readonly from: number; readonly most: number }
  | { readonly ask: 'killMany'; readonly filter: WorkerFilter; readonly from: number; readonly most: number }
  | { readonly ask: 'kill'; readonly connection: ConnectionName };

export interface WorkerConnection extends ConnectionName {
  readonly state: ConnectionState;
  readonly listener: number;
  readonly clientAddress: string;
  readonly clientPort: number;
  /** -1 = none. */
  readonly slot: number;
  readonly owner: number;
  /** '' where it is not known, or a path. */
  readonly backendAddress: string;
  readonly backendPort: number;
  /** '' = none. */
  readonly rule: string;
  readonly serverName: string;
  readonly ageMs: number;
  readonly idleMs: number;
  readonly bytesToClient: number;
  readonly bytesFromClient: number;
}

/** `count` of those listed or killed; `next` is -1 behind the last. */
export interface ConnectionAnswer {
  readonly count: number;
  readonly next: number;
  readonly connections: readonly WorkerConnection[];
}

export const NOTHING: ConnectionAnswer = { count: 0, next: -1, connections: [] };
