/**
 * What the admin API answers, as far as it is shown. Of another version there may be more, and other reasons; each text is
 * cleaned as it is read, so that none reaches a terminal as it came.
 */
import { z } from 'zod';
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import type { AdminClient } from './admin-client.js';
import { cleanText } from './clean-text.js';

const text = z.string().transform(cleanText);
const count = z.number();
const counts = z.record(text, count);

const stats = z.object({
  version: text,
  node: text,
  region: text,
  uptime_secs: count,
  accepts: z.array(z.object({ name: text, protocol: text, address: text, port: count })),
  connections: z.object({ total: count, active: count, rejected: counts, ended: counts }),
  bytes: z.object({ sent: count, received: count }),
  udp: z.object({ sessions: count }),
  bindings: count,
  draining: z.boolean(),
});

const worker = z.object({
  id: count,
  pid: count.nullable(),
  state: text,
  connections: count,
  event_loop_lag_ms: count,
  restarts: count,
});

const backend = z.object({
  id: text,
  app: text,
  region: text,
  ip: text,
  port: count,
  active: count,
  connections_total: count,
  errors: counts,
  health: text,
  breaker: text,
  draining: z.boolean(),
  enabled: z.boolean(),
  silent: z.boolean(),
  weight: count,
  rtt_ms: count.nullable(),
});

const connection = z.object({
  id: text,
  worker: count,
  protocol: text,
  state: text,
  listener: text,
  client_ip: text,
  client_port: count,
  backend: text.nullable(),
  age_ms: count,
  idle_ms: count,
  bytes_sent: count,
  bytes_received: count,
});

const workerList = z.object({ workers: z.array(worker) });
const backendList = z.object({ backends: z.array(backend), total: count });
const connectionList = z.object({
  connections: z.array(connection),
  next_cursor: z.string().nullable(),
  missing_workers: z.array(count),
});

export type Stats = z.output<typeof stats>;
export type WorkerRow = z.output<typeof worker>;
export type BackendRow = z.output<typeof backend>;
export type ConnectionRow = z.output<typeof connection>;
export type BackendList = z.output<typeof backendList>;
export type ConnectionList = z.output<typeof connectionList>;

/** The paths that status and top ask. */
export const PATHS = {
  stats: '/api/v1/stats',
  workers: '/api/v1/workers',
  backends: '/api/v1/backends?limit=1000',
  connections: '/api/v1/connections?limit=1000',
} as const;

export function readStats(answer: unknown): Stats {
  return read(stats, PATHS.stats, answer);
}

export function readWorkers(answer: unknown): readonly WorkerRow[] {
  return read(workerList, PATHS.workers, answer).workers;
}

export function readBackends(answer: unknown): BackendList {
  return read(backendList, PATHS.backends, answer);
}

export function readConnections(answer: unknown): ConnectionList {
  return read(connectionList, PATHS.connections, answer);
}

export interface Overview {
  readonly stats: Stats;
  readonly workers: readonly WorkerRow[];
  readonly backends: BackendList;
}

/** What the proxy as a whole is like; rejects with an EdgeproxyError. */
export async function askOverview(client: Pick<AdminClient, 'get'>): Promise<Overview> {
  const [statsAnswer, workers, backends] = await Promise.all([
    client.get(PATHS.stats),
    client.get(PATHS.workers),
    client.get(PATHS.backends),
  ]);
  return { stats: readStats(statsAnswer), workers: readWorkers(workers), backends: readBackends(backends) };
}

function read<S extends z.ZodType>(schema: S, path: string, answer: unknown): z.output<S> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const place = cleanText(result.error.issues[0]?.path.join('.') ?? '').slice(0, 100);
  const message = `${path} answers what this version does not understand (${place}); is it edgeproxy's admin API?`;
  throw new EdgeproxyError('EP_API_ANSWER', message, { source: 'internal' });
}
