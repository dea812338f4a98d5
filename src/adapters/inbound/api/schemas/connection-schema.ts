import { z } from 'zod';
import type { ConnectionCursor, ConnectionInfo, ConnectionPage } from '../../../../application/ports/connections.js';
import { CONNECTION_STATES } from '../../../../domain/shared/batch-layout.js';
import { count } from './counts.js';

const connectionSchema = z.object({
  id: z.string().describe('Its own for as long as it lives, and nobody’s afterwards.'),
  worker: count,
  protocol: z.enum(['tcp', 'udp']).describe('Of UDP it is a session.'),
  state: z
    .enum(CONNECTION_STATES)
    .describe('client_finished and backend_finished: that side has sent all it will, the other goes on.'),
  listener: z.string().describe('Its name; empty of one that is no longer known.'),
  client_ip: z.string(),
  client_port: count,
  backend: z.string().nullable().describe('Its id; null while there is none, or of one that is known no more.'),
  backend_slot: count.nullable().describe('Its place in the routing table.'),
  backend_ip: z.string().nullable().describe('Where the connection leads: IPv4, IPv6, or unix: and a path.'),
  backend_port: count.nullable(),
  rule: z.string().nullable().describe('The rule that has chosen the backend; null where none has.'),
  sni: z.string().nullable().describe('The name in the ClientHello; null where no rule asks for it.'),
  age_ms: count,
  idle_ms: count.describe('Since the last byte, either way.'),
  bytes_sent: count.describe('To the client.'),
  bytes_received: count.describe('From the client.'),
});

export const missingWorkers = z.array(count).describe('Workers that have not answered in time.');

export const connectionListSchema = z.object({
  connections: z.array(connectionSchema).describe('By worker, and by place there.'),
  next_cursor: z
    .string()
    .nullable()
    .describe('Of the next page; null behind the last one. A page may have less than the limit, and yet a next one.'),
  missing_workers: missingWorkers,
});

export const killReportSchema = z.object({
  killed: count,
  partial: z.boolean().describe('There may be more: ask again.'),
  missing_workers: missingWorkers,
});

export function connectionListJson({ connections, next, missingWorkers: missing }: ConnectionPage): object {
  return {
    connections: connections.map(connectionJson),
    next_cursor: next === null ? null : formatCursor(next),
    missing_workers: [...missing],
  } satisfies z.input<typeof connectionListSchema>;
}

function connectionJson(connection: ConnectionInfo): z.input<typeof connectionSchema> {
  const { backend } = connection;
  return {
    id: connection.id,
    worker: connection.worker,
    protocol: connection.protocol,
    state: connection.state,
    listener: connection.listener,
    client_ip: connection.clientAddress,
    client_port: connection.clientPort,
    backend: backend?.id ?? null,
    backend_slot: backend?.slot ?? null,
    backend_ip: backend === null || backend.address === '' ? null : backend.address,
    backend_port: backend?.port ?? null,
    rule: connection.rule,
    sni: connection.serverName,
    age_ms: connection.ageMs,
    idle_ms: connection.idleMs,
    bytes_sent: connection.bytesToClient,
    bytes_received: connection.bytesFromClient,
  };
}

function formatCursor({ worker, position }: ConnectionCursor): string {
  return `${worker}.${position}`;
}

/** As connectionListJson gives it. */
export const cursorSchema = z
  .string()
  .regex(/^\d{1,3}\.\d{1,10}$/, 'is not a next_cursor of this list')
  .default('0.0')
  .describe('Where the page begins: next_cursor of the one before.');

export function readCursor(text: string): ConnectionCursor {
  const [worker = 0, position = 0] = text.split('.').map(Number);
  return { worker, position };
}
