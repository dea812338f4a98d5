import type { NativeRelayOptions } from '../adapters/outbound/native/native-addon.js';

type RelayLimits =
  | 'maxConnections'
  | 'connectRetries'
  | 'connectTimeoutMs'
  | 'idleTimeoutMs'
  | 'halfCloseTimeoutMs'
  | 'maxLifetimeMs'
  | 'isSpliceEnabled'
  | 'maxPipes';

/** What a worker is told at its birth, in the environment: it needs all of it before its first connection. */
export interface WorkerSettings extends Pick<NativeRelayOptions, 'workerIndex' | RelayLimits> {
  readonly primaryPid: number;
  readonly bindingTtlSecs: number;
}

export const WORKER_SETTINGS_VARIABLE = 'EDGEPROXY_INTERNAL_WORKER';

/** Descriptors that a worker inherits, by their place in its stdio. */
export const WORKER_FD = { REGION: 4, CHANNEL: 5 } as const;

/** `drain`: accept no more, end when the last connection has. `close`: reset what is left and end. */
export type ToWorker = { readonly type: 'drain' } | { readonly type: 'close' };

export type ToPrimary =
  | { readonly type: 'ready' }
  /** Sent just before the worker ends because of an exception. */
  | { readonly type: 'crashed'; readonly message: string; readonly stack: string };
