import {
  BYTES_BOUNDS,
  CONNECT_BOUNDS_MICROS,
  DECISION_BOUNDS_NANOS,
  DURATION_BOUNDS_MS,
} from '../../domain/shared/layout.js';
import type { HistogramTotals } from '../../domain/shared/shared-totals.js';

/** Every series of the proxy, once: the endpoint and the check of docs/metrics.md derive from this table. */
export interface MetricDescription {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Of a histogram: its bounds as shared memory has them, and how many of their unit are one of the series' unit. */
  readonly buckets?: Buckets;
}

export interface Buckets {
  readonly bounds: readonly number[];
  readonly unit: number;
}

const BACKEND = ['backend', 'region'] as const;
const RULE = ['router', 'rule'] as const;

export const METRICS = {
  edgeproxy_connections_total: counter('Connections that came in, also those turned away.'),
  edgeproxy_connections_active: gauge('Connections open now.'),
  edgeproxy_connections_rejected_total: counter('Clients that were turned away, by reason.', 'reason'),
  edgeproxy_connections_ended_total: counter('Connections that were relayed and have ended, by reason.', 'reason'),
  edgeproxy_bytes_sent_total: counter('Bytes sent to clients.'),
  edgeproxy_bytes_received_total: counter('Bytes received from clients.'),
  edgeproxy_datagrams_sent_total: counter('Datagrams sent to clients.'),
  edgeproxy_datagrams_received_total: counter('Datagrams received from clients.'),
  edgeproxy_datagrams_dropped_total: counter('Datagrams dropped because a socket or a session had no room.'),
  edgeproxy_udp_sessions: gauge('UDP sessions now; each is a connection, too.'),
  edgeproxy_backend_connections_total: counter('Connections made to the backend.', ...BACKEND),
  edgeproxy_backend_connections_active: gauge('Connections to the backend now.', ...BACKEND),
  edgeproxy_backend_errors_total: counter('Connects to the backend that failed, by reason.', ...BACKEND, 'reason'),
  edgeproxy_backend_rtt_seconds: histogram(
    'How long connecting to the backend took, where it succeeded.',
    { bounds: CONNECT_BOUNDS_MICROS, unit: 1e6 },
    ...BACKEND,
  ),
  edgeproxy_backend_up: gauge('1 where the backend takes new clients, else 0.', ...BACKEND),
  edgeproxy_connection_duration_seconds: histogram('How long connections that have ended were relayed.', {
    bounds: DURATION_BOUNDS_MS,
    unit: 1e3,
  }),
  edgeproxy_connection_bytes: histogram('Bytes of connections that have ended, both ways together.', {
    bounds: BYTES_BOUNDS,
    unit: 1,
  }),
  edgeproxy_route_decision_seconds: histogram('What choosing a backend took; of a batch each decision an equal part.', {
    bounds: DECISION_BOUNDS_NANOS,
    unit: 1e9,
  }),
  edgeproxy_bindings: gauge('Clients that are bound to a backend; counted every collect_interval.'),
  edgeproxy_worker_connections_active: gauge('Connections of the worker now.', 'worker'),
  edgeproxy_worker_restarts_total: counter('Workers that died and had a successor.'),
  edgeproxy_worker_event_loop_lag_seconds: gauge('What the loop of the latest worker was late by, at its last turn.'),
  edgeproxy_router_selections_total: counter('Clients that the rule has got a backend for.', ...RULE),
  edgeproxy_router_errors_total: counter('Clients that the rule had no backend for.', ...RULE, 'reason'),
  edgeproxy_routing_reload_total: counter('Looks at the routing database, by what came of them.', 'result'),
  edgeproxy_routing_backends: gauge('Backends of the routing table in force.'),
  edgeproxy_splice_pipes: gauge('Pipes for splicing, used and kept.'),
  edgeproxy_splice_fallback_total: counter('Times that a stream was copied for want of a pipe.'),
  edgeproxy_access_log_dropped_total: counter('Lines of the access log that were lost.'),
} as const satisfies Readonly<Record<string, MetricDescription>>;

export type MetricName = keyof typeof METRICS;

/** The same object means the same labels: what is made of them may be kept. */
export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSample extends HistogramTotals {
  readonly labels: Labels;
}

/** Every series as it is now; one of which there is nothing yet is left out. */
export type Samples = {
  readonly [Name in MetricName]: (typeof METRICS)[Name]['type'] extends 'histogram'
    ? readonly HistogramSample[]
    : readonly Sample[];
};

function counter(help: string, ...labels: readonly string[]) {
  return { type: 'counter', labels, help } as const;
}

function gauge(help: string, ...labels: readonly string[]) {
  return { type: 'gauge', labels, help } as const;
}

function histogram(help: string, buckets: Buckets, ...labels: readonly string[]) {
  return { type: 'histogram', labels, help, buckets } as const;
}
