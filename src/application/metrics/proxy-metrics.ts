/** Reads every series: counters from shared memory at the moment they are asked for. */
import { BackendStates } from '../../domain/shared/backend-states.js';
import type { ControlRegion } from '../../domain/shared/control-region.js';
import {
  BYTES_BOUNDS,
  CONNECT_BOUNDS_MICROS,
  DECISION_BOUNDS_NANOS,
  DURATION_BOUNDS_MS,
  END_REASONS,
  POOL,
  PRIMARY,
  REJECT_REASONS,
  ROUTING_READS,
  WORKER,
  WORDS_PER_TOTAL,
} from '../../domain/shared/layout.js';
import type { PublishedBackend } from '../../domain/shared/routes-writer.js';
import { SharedTotals } from '../../domain/shared/shared-totals.js';
import { BackendMetrics } from './backend-metrics.js';
import type { HistogramSample, Sample, Samples } from './metric-catalogue.js';

/** A rule in force, with the number of its line in shared memory, see POOL. */
export interface CountedRule {
  readonly rule: string;
  readonly router: string;
  readonly number: number;
}

const NO_LABELS = {};

export class ProxyMetrics {
  readonly #totals: SharedTotals;
  readonly #backends: BackendMetrics;
  readonly #rules: () => readonly CountedRule[];
  #bindings = 0;

  constructor(region: ControlRegion, rules: () => readonly CountedRule[]) {
    this.#rules = rules;
    this.#totals = new SharedTotals(region);
    this.#backends = new BackendMetrics(this.#totals, new BackendStates(region));
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#backends.use(published);
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
      edgeproxy_backend_connections_total: this.#backends.connections(),
      edgeproxy_backend_connections_active: this.#backends.active(),
      edgeproxy_backend_errors_total: this.#backends.errors(),
      edgeproxy_backend_rtt_seconds: this.#backends.connectTimes(CONNECT_BOUNDS_MICROS.length),
      edgeproxy_backend_up: this.#backends.up(),
      edgeproxy_connection_duration_seconds: this.#histogram(WORKER.DURATIONS, DURATION_BOUNDS_MS),
      edgeproxy_connection_bytes: this.#histogram(WORKER.BYTES, BYTES_BOUNDS),
      edgeproxy_route_decision_seconds: this.#histogram(WORKER.DECISIONS, DECISION_BOUNDS_NANOS),
      edgeproxy_bindings: [one(this.#bindings)],
      edgeproxy_worker_connections_active: this.#workerConnections(),
      edgeproxy_worker_restarts_total: [one(this.#totals.ofPrimary(PRIMARY.WORKER_RESTARTS))],
      edgeproxy_worker_event_loop_lag_seconds: [one(this.#largestLagSecs())],
      edgeproxy_router_selections_total: this.#ofRules(POOL.SELECTED),
      edgeproxy_router_errors_total: this.#ofRules(POOL.FAILED).map(({ labels, value }) => {
        return { labels: { ...labels, reason: 'no_backend' }, value };
      }),
      edgeproxy_routing_reload_total: ROUTING_READS.map((result, index) => {
        return { labels: { result }, value: this.#totals.routingReads(index) };
      }),
      edgeproxy_routing_backends: [one(this.#backends.count)],
      edgeproxy_splice_pipes: gauge(WORKER.SPLICE_PIPES),
      edgeproxy_splice_fallback_total: total(WORKER.SPLICE_FALLBACKS),
      edgeproxy_access_log_dropped_total: [one(this.#totals.ofPrimary(PRIMARY.ACCESS_LOG_DROPS))],
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

  #histogram(offset: number, bounds: readonly number[]): HistogramSample[] {
    return [{ labels: NO_LABELS, ...this.#totals.histogram(offset, bounds.length) }];
  }

  #ofRules(offset: number): Sample[] {
    return this.#rules().map(({ rule, router, number }) => {
      return { labels: { router, rule }, value: this.#totals.ofPool(number, offset) };
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
