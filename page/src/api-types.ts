/** What the API gives, as far as the page shows it; a test compares this with the API's own schemas. */

export type Counts = Readonly<Record<string, number>>;

export interface Stats {
  readonly version: string;
  readonly node: string;
  readonly region: string;
  readonly uptime_secs: number;
  readonly connections: {
    readonly total: number;
    readonly active: number;
    readonly rejected: Counts;
    readonly ended: Counts;
  };
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly udp: { readonly sessions: number };
  readonly bindings: number;
  readonly backends: number;
  readonly draining: boolean;
}

export interface Backend {
  readonly id: string;
  readonly app: string;
  readonly region: string;
  readonly country: string;
  readonly ip: string;
  readonly port: number;
  readonly weight: number;
  readonly soft_limit: number;
  readonly hard_limit: number;
  readonly active: number;
  readonly connections_total: number;
  readonly errors: Counts;
  readonly health: 'healthy' | 'unhealthy' | 'unknown';
  readonly breaker: 'closed' | 'open' | 'half_open';
  readonly draining: boolean;
  readonly enabled: boolean;
  readonly rtt_ms: number | null;
  readonly registered: boolean;
  readonly silent: boolean;
}

export interface BackendList {
  readonly backends: readonly Backend[];
  readonly total: number;
}

export interface Worker {
  readonly id: number;
  readonly pid: number | null;
  readonly state: string;
  readonly connections: number;
  readonly event_loop_lag_ms: number;
  readonly restarts: number;
}

export interface WorkerList {
  readonly workers: readonly Worker[];
}

export interface ProxyEvent {
  readonly time: string;
  readonly kind: 'warning' | 'error';
  readonly reason: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export interface EventList {
  readonly events: readonly ProxyEvent[];
}

export type BackendChange = { readonly draining: boolean } | { readonly enabled: boolean };
