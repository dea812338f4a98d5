/** Reads every series: counters from shared memory at the moment they are asked for. */
import { BackendStates } from '../../domain/shared/backend-states.js';
import type { ControlRegion } from '../../domain/shared/control-region.js';
import { BACKEND_ERRORS, END_REASONS, POOL, REJECT_REASONS, WORKER } from '../../domain/shared/layout.js';
import type { PublishedBackend } from '../../domain/shared/routes-writer.js';
import { SharedTotals } from '../../domain/shared/shared-totals.js';
import type { Sample, Samples } from './metric-catalogue.js';
import type { RunTotals } from '../run-totals.js';

/** A rule in force, with the number of its line in shared memory, see POOL. */
export interface CountedRule {
  readonly rule: string;
  readonly router: string;
  readonly number: number;
}

const WORDS_PER_TOTAL = 2;
const NO_LABELS = {};

export class ProxyMetrics {
  readonly #totals: SharedTotals;
  readonly #states: BackendStates;
  readonly #run: RunTotals;
  readonly #rules: () => readonly CountedRule[];
  #published: readonly PublishedBackend[] = [];
  #bindings = 0;

  constructor(region: ControlRegion, run: RunTotals, rules: () => readonly CountedRule[]) {
    this.#rules = rules;
    this.#totals = new SharedTotals(region);
    this.#states = new BackendStates(region);
    this.#run = run;
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#published = published;
  }

  /** As they were counted last. */
  useBindings(bindings: number): void {
    this.#bindings = bindings;
  }

  samples(): Samples {
    const total = (offset: number): Sample[] => [one(this.#totals.total(offset))];
    const gauge = (offset: number): Sample[] => [one(this.#totals.gauge(offset))];
    return {
      edgeproxy_connections_total: [one(this.#totals.total(WORKER.ACCEPTED) + this.#totals.refusedByAcceptor)],
      edgeproxy_connections_active: gauge(WORKER.ACTIVE),
      edgeproxy_connections_rejected_total: this.#rejected(),
      edgeproxy_connections_ended_total: this.#byReason(END_REASONS, WORKER.ENDED),
      edgeproxy_bytes_sent_total: total(WORKER.BYTES_TO_CLIENTS),
      edgeproxy_bytes_received_total: total(WORKER.BYTES_FROM_CLIENTS),
      edgeproxy_datagrams_sent_total: total(WORKER.DATAGRAMS_TO_CLIENTS),
      edgeproxy_datagrams_received_total: total(WORKER.DATAGRAMS_FROM_CLIENTS),
      edgeproxy_datagrams_dropped_total: total(WORKER.DATAGRAMS_DROPPED),
      edgeproxy_udp_sessions: gauge(WORKER.UDP_SESSIONS),
      edgeproxy_backend_connections_total: this.#ofBackends((slot) => this.#totals.backendConnections(slot)),
      edgeproxy_backend_connections_active: this.#ofBackends((slot) => this.#totals.backendActive(slot)),
      edgeproxy_backend_errors_total: this.#backendErrors(),
      edgeproxy_backend_up: this.#backendsUp(),
      edgeproxy_bindings: [one(this.#bindings)],
      edgeproxy_worker_connections_active: this.#workerConnections(),
      edgeproxy_worker_restarts_total: [one(this.#run.workerRestarts)],
      edgeproxy_worker_event_loop_lag_seconds: [one(this.#largestLagSecs())],
      edgeproxy_router_selections_total: this.#ofRules(POOL.SELECTED),
      edgeproxy_router_errors_total: this.#ofRules(POOL.FAILED).map(({ labels, value }) => {
        return { labels: { ...labels, reason: 'no_backend' }, value };
      }),
      edgeproxy_routing_reload_total: Object.entries(this.#run.routingReads).map(([result, value]) => {
        return { labels: { result }, value };
      }),
      edgeproxy_routing_backends: [one(this.#published.length)],
      edgeproxy_splice_pipes: gauge(WORKER.SPLICE_PIPES),
      edgeproxy_splice_fallback_total: total(WORKER.SPLICE_FALLBACKS),
    };
  }

  #rejected(): Sample[] {
    return this.#byReason(REJECT_REASONS, WORKER.REJECTED).map(({ labels, value }) => {
      const isCountedTwice = labels['reason'] === 'rate_limited';
      return { labels, value: isCountedTwice ? value + this.#totals.refusedByAcceptor : value };
    });
  }

  #byReason(reasons: readonly string[], offset: number): Sample[] {
    return reasons.map((reason, index) => {
      return { labels: { reason }, value: this.#totals.total(offset + WORDS_PER_TOTAL * index) };
    });
  }

  #ofBackends(valueOf: (slot: number) => number): Sample[] {
    return this.#published.map(({ slot, backend }) => {
      return { labels: { backend: backend.id, region: backend.region }, value: valueOf(slot) };
    });
  }

  #ofRules(offset: number): Sample[] {
    return this.#rules().map(({ rule, router, number }) => {
      return { labels: { router, rule }, value: this.#totals.ofPool(number, offset) };
    });
  }

  #backendErrors(): Sample[] {
    return BACKEND_ERRORS.flatMap((reason, index) =>
      this.#ofBackends((slot) => this.#totals.backendErrors(slot, index)).map(({ labels, value }) => {
        return { labels: { ...labels, reason }, value };
      }),
    );
  }

  /** By the database, by health checks and by the breaker. */
  #backendsUp(): Sample[] {
    return this.#published.map(({ slot, backend: { id, region, isHealthy, isDraining, weight } }) => {
      const isUp = isHealthy && !isDraining && weight > 0 && this.#states.isAvailable(slot);
      return { labels: { backend: id, region }, value: isUp ? 1 : 0 };
    });
  }

  #workerConnections(): Sample[] {
    return Array.from({ length: this.#totals.workers }, (_, worker) => {
      return { labels: { worker: String(worker) }, value: this.#totals.ofWorker(worker, WORKER.ACTIVE) };
    });
  }

  #largestLagSecs(): number {
    let largestMs = 0;
    for (let worker = 0; worker < this.#totals.workers; worker++)
      largestMs = Math.max(largestMs, this.#totals.ofWorker(worker, WORKER.LAG_MS));
    return largestMs / 1000;
  }
}

function one(value: number): Sample {
  return { labels: NO_LABELS, value };
}
