import type { Backend } from '../../domain/backend.js';
import type { BackendError, EndReason, RejectReason } from '../../domain/shared/layout.js';
import type { BoundListener } from '../listener-config.js';

/** Clients are taken while it is serving alone. */
export type ProxyPhase = 'starting' | 'serving' | 'draining';

export interface ProxyStats {
  readonly version: string;
  readonly hostname: string;
  /** This POP's. */
  readonly region: string;
  readonly uptimeSecs: number;
  readonly phase: ProxyPhase;
  readonly listeners: readonly BoundListener[];
  readonly connections: {
    /** With those that were turned away. */
    readonly total: number;
    readonly active: number;
    readonly rejected: Readonly<Record<RejectReason, number>>;
    readonly ended: Readonly<Record<EndReason, number>>;
  };
  /** To clients and from them. */
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly udp: {
    readonly sessions: number;
    readonly datagramsSent: number;
    readonly datagramsReceived: number;
    readonly datagramsDropped: number;
  };
  /** As they were counted last. */
  readonly bindings: number;
  readonly backends: number;
}

export type BackendHealth = 'healthy' | 'unhealthy' | 'unknown';
export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BackendStatus {
  readonly backend: Backend;
  /** It is a rule's own, no row of the routing database. */
  readonly isInline: boolean;
  readonly active: number;
  /** Since the backend is known, as are errors. */
  readonly connections: number;
  readonly errors: Readonly<Record<BackendError, number>>;
  /** Unknown where nobody checks it. */
  readonly health: BackendHealth;
  readonly breaker: BreakerState;
  /** How long connecting to it takes, an average that follows the latest; null where nobody has measured it. */
  readonly connectMs: number | null;
}

/** What a backend must have to be meant. */
export interface BackendFilter {
  readonly region?: string;
  readonly app?: string;
}

/** `dead`: its successor waits; `starting`: it takes no clients yet; `shedding`: it takes none for now, being overloaded; `stalled`: its loop stands still. */
export type WorkerState = 'dead' | 'starting' | 'ready' | 'shedding' | 'stalled';

export interface WorkerStatus {
  readonly id: number;
  /** null of a dead one. */
  readonly pid: number | null;
  readonly state: WorkerState;
  readonly connections: number;
  readonly loopLagMs: number;
  /** Successors so far. */
  readonly restarts: number;
}

/** A warning or an error of the log. */
export interface ProxyEvent {
  readonly timeMs: number;
  readonly kind: 'warning' | 'error';
  readonly reason: string;
  readonly context: object;
}

/** What there is to see of a running proxy. */
export interface ProxyView {
  stats(): ProxyStats;
  /** In the order of the routing table; `total` counts all that fit the filter. */
  backends(
    filter: BackendFilter,
    offset: number,
    limit: number,
  ): { readonly page: readonly BackendStatus[]; readonly total: number };
  /** null where there is none. */
  backend(id: string): BackendStatus | null;
  workers(): readonly WorkerStatus[];
  /** The latest, oldest first. */
  events(): readonly ProxyEvent[];
}
