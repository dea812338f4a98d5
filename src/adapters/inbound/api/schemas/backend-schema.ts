import { z } from 'zod';
import type { BackendStatus } from '../../../../application/ports/proxy-view.js';
import { BACKEND_ERRORS } from '../../../../domain/shared/layout.js';
import { count, countsBy } from './counts.js';

export const backendSchema = z.object({
  id: z.string(),
  app: z.string(),
  region: z.string(),
  country: z.string().describe('Two letters; empty where it is not known.'),
  ip: z.string().describe('IPv4, IPv6, or unix: and the path of a socket.'),
  port: count.describe('0 of a Unix socket.'),
  weight: count.describe('0 = no new clients.'),
  soft_limit: count,
  hard_limit: count.describe('0 = unlimited.'),
  active: count.describe('Connections now.'),
  connections_total: count,
  errors: countsBy(BACKEND_ERRORS).describe('Connects that failed, by reason.'),
  health: z.enum(['healthy', 'unhealthy', 'unknown']).describe('What health checks say; unknown where there are none.'),
  breaker: z.enum(['closed', 'open', 'half_open']),
  draining: z.boolean(),
  enabled: z.boolean().describe('What the routing database says.'),
  rtt_ms: z
    .number()
    .nonnegative()
    .nullable()
    .describe('How long connecting takes, as an average that follows the latest.'),
  registered: z.boolean().describe('By way of this API.'),
  silent: z.boolean().describe('Its last heartbeat is too old, so it gets no new clients.'),
  last_heartbeat_age_secs: z.number().nonnegative().nullable(),
});

export const backendListSchema = z.object({
  backends: z.array(backendSchema),
  total: count.describe('All that fit, also those beyond the limit.'),
});

/** `ageSecs` of its last heartbeat, null where it is not registered. */
export function backendJson(status: BackendStatus, ageSecs: number | null): z.input<typeof backendSchema> {
  const { backend } = status;
  return {
    id: backend.id,
    app: backend.app,
    region: backend.region,
    country: backend.country,
    ip: backend.address,
    port: backend.port,
    weight: backend.weight,
    soft_limit: backend.softLimit,
    hard_limit: backend.hardLimit,
    active: status.active,
    connections_total: status.connections,
    errors: status.errors,
    health: status.health,
    breaker: status.breaker,
    draining: backend.isDraining,
    enabled: backend.isHealthy || backend.isSilent === true,
    rtt_ms: status.connectMs,
    registered: ageSecs !== null,
    silent: backend.isSilent === true,
    last_heartbeat_age_secs: ageSecs,
  };
}
