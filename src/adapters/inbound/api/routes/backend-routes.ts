import { z } from 'zod';
import type { BackendDirectory } from '../../../../application/ports/backend-directory.js';
import type { BackendStatus, ProxyView } from '../../../../application/ports/proxy-view.js';
import { ApiError } from '../api-error.js';
import { endpoint, ok, type Endpoint } from '../endpoint.js';
import { backendParams } from '../schemas/backend-params.js';
import { backendJson, backendListSchema, backendSchema } from '../schemas/backend-schema.js';
import { wholeNumber } from '../schemas/whole-number.js';

const MOST_LISTED = 1000;

const listQuery = z.strictObject({
  region: z.string().optional().describe('Those of a region only.'),
  app: z.string().optional().describe('Those of an application only.'),
  limit: wholeNumber(0, MOST_LISTED).default(MOST_LISTED).describe('How many at most.'),
  offset: wholeNumber(0, 1_000_000).default(0).describe('How many to leave out before the first.'),
});

export function backendEndpoints(view: ProxyView, directory: BackendDirectory): readonly Endpoint[] {
  const toJson = (status: BackendStatus): object => backendJson(status, directory.heartbeatAgeSecs(status.backend.id));
  return [
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/backends',
        operationId: 'backends',
        summary: 'The backends of the routing table in force, with those of rules',
        query: listQuery,
        answers: { 200: backendListSchema },
      },
      ({ query: { region, app, limit, offset } }) => {
        const filter = { ...(region === undefined ? {} : { region }), ...(app === undefined ? {} : { app }) };
        const { page, total } = view.backends(filter, offset, limit);
        return ok({ backends: page.map(toJson), total });
      },
    ),
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/backends/{id}',
        operationId: 'backend',
        summary: 'A backend',
        params: backendParams,
        answers: { 200: backendSchema },
        errors: ['not_found'],
      },
      ({ params: { id } }) => {
        const status = view.backend(id);
        if (status === null) throw noSuchBackend(id);
        return ok(toJson(status));
      },
    ),
  ];
}

export function noSuchBackend(id: string): ApiError {
  const reason = `there is no backend ${JSON.stringify(id)} in the routing table`;
  return new ApiError('not_found', 'There is no such backend.', { field: 'id', reason });
}
