import type { EndReason } from '../domain/shared/layout.js';
import type { ConnectionAnswer, ConnectionQuestion } from './connection-questions.js';
import type { MatcherFailure } from './failure-reports.js';
import type { WorkerSettings } from './worker-settings.js';

/** What a worker is told at its birth, in the environment: it needs all of it before its first connection. */
export interface WorkerBirth {
  readonly workerIndex: number;
  readonly primaryPid: number;
  /** To stay on; null = any. */
  readonly cpu: number | null;
  readonly settings: WorkerSettings;
}

export const WORKER_SETTINGS_VARIABLE = 'EDGEPROXY_INTERNAL_WORKER';

/** Descriptors that a worker inherits, by their place in its stdio. */
export const WORKER_FD = { REGION: 4, CHANNEL: 5 } as const;

export type ToWorker =
  /** A newer version reads the datagrams of these listeners; replies still leave through their sockets. */
  | { readonly type: 'leave'; readonly listeners: readonly number[] }
  /** Accept no more, end when the last connection has. */
  | { readonly type: 'drain' }
  /** Reset what is left and end. */
  | { readonly type: 'close' }
  /** Other settings are in force. */
  | { readonly type: 'configure'; readonly settings: WorkerSettings }
  /** To be answered with the same number. */
  | { readonly type: 'question'; readonly number: number; readonly question: ConnectionQuestion }
  /** Reset the connections at the backend with that slot, while BACKEND.OWNER says that it is still the same backend. */
  | { readonly type: 'closeBackend'; readonly slot: number; readonly owner: number; readonly reason: EndReason };

export type ToPrimary =
  | { readonly type: 'ready' }
  /** The function of a custom rule throws, or cannot be loaded. */
  | ({ readonly type: 'matcherFailed' } & MatcherFailure)
  /** The settings of one `configure`, in their order, are in force. */
  | { readonly type: 'configured' }
  /** null where there can be no answer. */
  | { readonly type: 'answer'; readonly number: number; readonly answer: ConnectionAnswer | null }
  /** Sent just before the worker ends because of an exception. */
  | { readonly type: 'crashed'; readonly message: string; readonly stack: string };
