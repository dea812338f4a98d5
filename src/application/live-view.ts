/** A running proxy as the API shows it: read from shared memory at the moment that somebody asks. */
import { BackendStates } from '../domain/shared/backend-states.js';
import { ConnectTimes } from '../domain/shared/connect-times.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import {
  BACKEND_ERRORS,
  BREAKER_STATE,
  END_REASONS,
  REJECT_REASONS,
  WORKER,
  WORDS_PER_TOTAL,
} from '../domain/shared/layout.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { SharedTotals } from '../domain/shared/shared-totals.js';
import type { BoundListener } from './listener-config.js';
import type {
  BackendFilter,
  BackendHealth,
  BackendStatus,
  BreakerState,
  ProxyEvent,
  ProxyPhase,
  ProxyStats,
  ProxyView,
  WorkerStatus,
} from './ports/proxy-view.js';

/** A place for workers, see WorkerStatus. */
export interface PlaceFacts {
  readonly pid: number | null;
  readonly isAdmitted: boolean;
  readonly restarts: number;
}

export interface LiveViewParts {
  readonly region: ControlRegion;
  readonly version: string;
  readonly hostname: string;
  readonly popRegion: () => string;
  readonly uptimeSecs: () => number;
  readonly phase: () => ProxyPhase;
  /** Counters are those of all versions that count when it returns. */
  readonly catchUpCounters: () => void;
  readonly isChecked: () => boolean;
  readonly listeners: () => readonly BoundListener[];
  readonly places: () => readonly PlaceFacts[];
  readonly events: () => readonly ProxyEvent[];
}

const MICROS_PER_MS = 1000;

export class LiveView implements ProxyView {
  readonly #parts: LiveViewParts;
  readonly #totals: SharedTotals;
  readonly #states: BackendStates;
  readonly #connectTimes: ConnectTimes;
  #published: readonly PublishedBackend[] = [];
  #byId: ReadonlyMap<string, PublishedBackend> | null = null;
  #bindings = 0;

  constructor(parts: LiveViewParts) {
    this.#parts = parts;
    this.#totals = new SharedTotals(parts.region);
    this.#states = new BackendStates(parts.region);
    this.#connectTimes = new ConnectTimes(parts.region);
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#published = published;
    this.#byId = null;
  }

  useBindings(bindings: number): void {
    this.#bindings = bindings;
  }

  stats(): ProxyStats {
    const { version, hostname, popRegion, uptimeSecs, phase, listeners, catchUpCounters } = this.#parts;
    catchUpCounters();
    return {
      version,
      hostname,
      region: popRegion(),
      uptimeSecs: uptimeSecs(),
      phase: phase(),
      listeners: listeners(),
      connections: this.#connections(),
      bytes: {
        sent: this.#totals.total(WORKER.BYTES_TO_CLIENTS),
        received: this.#totals.total(WORKER.BYTES_FROM_CLIENTS),
      },
      udp: {
        sessions: this.#totals.gauge(WORKER.UDP_SESSIONS),
        datagramsSent: this.#totals.total(WORKER.DATAGRAMS_TO_CLIENTS),
        datagramsReceived: this.#totals.total(WORKER.DATAGRAMS_FROM_CLIENTS),
        datagramsDropped: this.#totals.total(WORKER.DATAGRAMS_DROPPED),
      },
      bindings: this.#bindings,
      backends: this.#published.length,
    };
  }

  backends(
    { region, app }: BackendFilter,
    offset: number,
    limit: number,
  ): { readonly page: readonly BackendStatus[]; readonly total: number } {
    const isAll = region === undefined && app === undefined;
    const found = isAll
      ? this.#published
      : this.#published.filter(
          ({ backend }) => (region ?? backend.region) === backend.region && (app ?? backend.app) === backend.app,
        );
    const page = found.slice(offset, offset + limit).map((published) => this.#statusOf(published));
    return { page, total: found.length };
  }

  backend(id: string): BackendStatus | null {
    this.#byId ??= new Map(this.#published.map((published) => [published.backend.id, published]));
    const published = this.#byId.get(id);
    return published === undefined ? null : this.#statusOf(published);
  }

  workers(): readonly WorkerStatus[] {
    return this.#parts.places().map((place, id) => ({
      id,
      pid: place.pid,
      state: this.#stateOf(id, place),
      connections: this.#totals.ofWorker(id, WORKER.ACTIVE),
      loopLagMs: place.pid === null ? 0 : this.#totals.ofWorker(id, WORKER.LAG_MS),
      restarts: place.restarts,
    }));
  }

  events(): readonly ProxyEvent[] {
    return this.#parts.events();
  }

  #connections(): ProxyStats['connections'] {
    const { refusedByAcceptor } = this.#totals;
    const rejected = this.#byReason(REJECT_REASONS, WORKER.REJECTED);
    return {
      total: this.#totals.total(WORKER.ACCEPTED) + refusedByAcceptor,
      active: this.#totals.gauge(WORKER.ACTIVE),
      rejected: { ...rejected, rate_limited: rejected.rate_limited + refusedByAcceptor },
      ended: this.#byReason(END_REASONS, WORKER.ENDED),
    };
  }

  #byReason<R extends string>(reasons: readonly R[], offset: number): Record<R, number> {
    const totals = reasons.map((reason, index) => [reason, this.#totals.total(offset + WORDS_PER_TOTAL * index)]);
    return Object.fromEntries(totals) as Record<R, number>;
  }

  #statusOf({ slot, backend, isInline }: PublishedBackend): BackendStatus {
    const errors = BACKEND_ERRORS.map((reason, index) => [reason, this.#totals.backendErrors(slot, index)]);
    const micros = this.#connectTimes.of(slot);
    return {
      backend,
      isInline,
      active: this.#totals.backendActive(slot),
      connections: this.#totals.backendConnections(slot),
      errors: Object.fromEntries(errors) as BackendStatus['errors'],
      health: this.#healthOf(slot, backend.isUnchecked === true),
      breaker: breakerOf(this.#states.breaker(slot)),
      connectMs: micros === 0 ? null : micros / MICROS_PER_MS,
    };
  }

  #healthOf(slot: number, isUnchecked: boolean): BackendHealth {
    if (isUnchecked || !this.#parts.isChecked()) return 'unknown';
    return this.#states.isUp(slot) ? 'healthy' : 'unhealthy';
  }

  #stateOf(id: number, { pid, isAdmitted }: PlaceFacts): WorkerStatus['state'] {
    if (pid === null) return 'dead';
    if (!isAdmitted) return 'starting';
    if (this.#totals.ofWorker(id, WORKER.STALLED) !== 0) return 'stalled';
    return this.#totals.ofWorker(id, WORKER.SHEDDING) !== 0 ? 'shedding' : 'ready';
  }
}

function breakerOf(state: number): BreakerState {
  if (state === BREAKER_STATE.OPEN) return 'open';
  return state === BREAKER_STATE.HALF_OPEN ? 'half_open' : 'closed';
}
