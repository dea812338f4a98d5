import { z } from 'zod';
import type { ProxyStats } from '../../../../application/ports/proxy-view.js';
import { END_REASONS, REJECT_REASONS } from '../../../../domain/shared/layout.js';
import { count, countsBy } from './counts.js';

const listenerSchema = z.object({
  name: z.string(),
  protocol: z.string(),
  address: z.string(),
  port: count,
});

export const statsSchema = z.object({
  version: z.string(),
  node: z.string().describe('The name of the host.'),
  region: z.string().describe("This POP's."),
  uptime_secs: z.number().nonnegative(),
  accepts: z.array(listenerSchema).describe('What is listened on.'),
  connections: z.object({
    total: count.describe('Those that came in, also those that were turned away.'),
    active: count,
    rejected: countsBy(REJECT_REASONS),
    ended: countsBy(END_REASONS),
  }),
  bytes: z.object({ sent: count.describe('To clients.'), received: count.describe('From clients.') }),
  udp: z.object({
    sessions: count,
    datagrams_sent: count,
    datagrams_received: count,
    datagrams_dropped: count,
  }),
  bindings: count.describe('Clients that are bound to a backend, as they were counted last.'),
  backends: count.describe('Of the routing table in force.'),
  draining: z.boolean(),
});

export function statsJson(stats: ProxyStats): z.input<typeof statsSchema> {
  const { udp } = stats;
  return {
    version: stats.version,
    node: stats.hostname,
    region: stats.region,
    uptime_secs: stats.uptimeSecs,
    accepts: stats.listeners.map(({ name, protocol, address, port }) => ({ name, protocol, address, port })),
    connections: stats.connections,
    bytes: stats.bytes,
    udp: {
      sessions: udp.sessions,
      datagrams_sent: udp.datagramsSent,
      datagrams_received: udp.datagramsReceived,
      datagrams_dropped: udp.datagramsDropped,
    },
    bindings: stats.bindings,
    backends: stats.backends,
    draining: stats.phase === 'draining',
  };
}
