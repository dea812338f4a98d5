import { z } from 'zod';
import type { ConnectionFilter, Connections } from '../../../../application/ports/connections.js';
import { parseCidr } from '../../../../domain/cidr.js';
import { MAX_WORKERS } from '../../../../domain/shared/layout.js';
import { ApiError } from '../api-error.js';
import { endpoint, invalid, noContent, noContentSchema, ok, type Endpoint } from '../endpoint.js';
import {
  connectionListJson,
  connectionListSchema,
  cursorSchema,
  killReportSchema,
  readCursor,
} from '../schemas/connection-schema.js';
import { wholeNumber } from '../schemas/whole-number.js';

const MOST_LISTED = 1000;
const MOST_KILLED = 10_000;

const filterFields = {
  backend: z.string().optional().describe('Those to that backend only, by its id.'),
  client: z.string().optional().describe('Those of an address, or of a network such as 192.0.2.0/24, only.'),
  listener: z.string().optional().describe('Those of a listener only, by its name.'),
  worker: wholeNumber(0, MAX_WORKERS - 1)
    .optional()
    .describe('Those of a worker only.'),
};

const listQuery = z.strictObject({
  ...filterFields,
  limit: wholeNumber(1, MOST_LISTED).default(100).describe('How many at most.'),
  cursor: cursorSchema,
});

const killQuery = z.strictObject({
  ...filterFields,
  all: z.enum(['true']).optional().describe('Without anything that says which: all of them.'),
  limit: wholeNumber(1, MOST_KILLED).default(MOST_KILLED).describe('How many at most.'),
});

export function connectionEndpoints(connections: Connections): readonly Endpoint[] {
  return [
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/connections',
        operationId: 'connections',
        summary: 'The connections and UDP sessions that there are',
        query: listQuery,
        answers: { 200: connectionListSchema },
      },
      async ({ query: { limit, cursor, ...filter } }) => {
        return ok(connectionListJson(await connections.list(readFilter(filter), readCursor(cursor), limit)));
      },
    ),
    endpoint(
      {
        method: 'DELETE',
        path: '/api/v1/connections',
        operationId: 'killConnections',
        summary: 'Resets many connections',
        query: killQuery,
        answers: { 200: killReportSchema },
      },
      async ({ query: { limit, all, ...filter } }) => {
        const isAboutAll = Object.values(filter).every((value) => value === undefined);
        if (isAboutAll && all === undefined) throw invalid('all', 'say which are meant, or all=true');
        const { killed, isPartial, missingWorkers } = await connections.killMany(readFilter(filter), limit);
        return ok({ killed, partial: isPartial, missing_workers: [...missingWorkers] } satisfies z.input<
          typeof killReportSchema
        >);
      },
    ),
    endpoint(
      {
        method: 'DELETE',
        path: '/api/v1/connections/{id}',
        operationId: 'killConnection',
        summary: 'Resets a connection, on both sides',
        params: z.object({ id: z.string().min(1) }),
        answers: { 204: noContentSchema },
        errors: ['not_found', 'unavailable'],
      },
      async ({ params: { id } }) => {
        const outcome = await connections.kill(id);
        if (outcome === 'killed') return noContent();
        if (outcome === 'unknown') {
          throw new ApiError('not_found', 'There is no such connection.', {
            field: 'id',
            reason: 'it has ended, or never was',
          });
        }
        throw new ApiError('unavailable', 'The worker does not answer.', {
          reason: 'the connection may be there still',
        });
      },
    ),
  ];
}

type FilterQuery = Readonly<Partial<Record<'backend' | 'client' | 'listener', string | undefined>>> & {
  readonly worker?: number | undefined;
};

function readFilter({ backend, client, listener, worker }: FilterQuery): ConnectionFilter {
  const network = client === undefined ? null : parseCidr(client);
  if (network?.isValid === false) throw invalid('client', network.reason);
  return {
    ...(backend === undefined ? {} : { backend }),
    ...(network === null ? {} : { client: network.cidr }),
    ...(listener === undefined ? {} : { listener }),
    ...(worker === undefined ? {} : { worker }),
  };
}
