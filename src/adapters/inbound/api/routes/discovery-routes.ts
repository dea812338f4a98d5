/** By which backends register themselves, and stay registered. */
import type { BackendDirectory } from '../../../../application/ports/backend-directory.js';
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import { ApiError } from '../api-error.js';
import { endpoint, ok, type Endpoint } from '../endpoint.js';
import {
  heartbeatSchema,
  registeredSchema,
  registrationSchema,
  registrationValues,
} from '../schemas/registration-schema.js';
import { backendParams } from '../schemas/backend-params.js';

export function discoveryEndpoints(view: ProxyView, directory: BackendDirectory): readonly Endpoint[] {
  return [
    endpoint(
      {
        method: 'POST',
        path: '/api/v1/register',
        operationId: 'register',
        summary: 'Register a backend, or what has changed about one that is registered; it gets clients at once',
        body: registrationSchema,
        answers: { 201: registeredSchema },
        errors: ['conflict', 'unavailable', 'table_full'],
      },
      async ({ body }) => {
        const { id } = body;
        // The table would leave such a row out: no client would ever come.
        if (view.backend(id)?.isInline === true) throw ownedByRule(id);
        const outcome = await directory.register({ id, values: registrationValues(body) });
        if (outcome.kind === 'foreign') throw notRegistered(id);
        if (outcome.kind === 'full') throw tableFull();
        if (outcome.kind === 'refused') throw refusedByTable(outcome.reason);
        const message = outcome.kind === 'added' ? 'registered' : 'updated';
        return { status: 201, body: { id, registered: true, message: `${message}; heartbeats keep it in service` } };
      },
    ),
    endpoint(
      {
        method: 'POST',
        path: '/api/v1/heartbeat/{id}',
        operationId: 'heartbeat',
        summary: 'A registered backend is alive; without one for EDGEPROXY_HEARTBEAT_TTL_SECS it gets no new clients',
        params: backendParams,
        answers: { 200: heartbeatSchema },
        errors: ['not_found'],
      },
      ({ params: { id } }) => {
        if (directory.heartbeat(id)) return ok({ id, status: 'ok' });
        const reason = 'nobody of that id has registered, or it was removed; register again';
        throw new ApiError('not_found', 'There is no such registration.', { field: 'id', reason });
      },
    ),
  ];
}

function ownedByRule(id: string): ApiError {
  const reason = `${JSON.stringify(id)} is a backend of a rule of the configuration`;
  return new ApiError('conflict', 'The id is taken.', { field: 'id', reason });
}

function notRegistered(id: string): ApiError {
  const reason = `${JSON.stringify(id)} is in the routing database without having registered; remove it there first`;
  return new ApiError('conflict', 'The id is taken.', { field: 'id', reason });
}

function tableFull(): ApiError {
  const reason = 'EDGEPROXY_MAX_BACKENDS is reached, and nobody of them is silent';
  return new ApiError('table_full', 'There is no room for another backend.', { reason });
}

export function refusedByTable(reason: string): ApiError {
  return new ApiError('conflict', 'The routing database refuses it.', { reason });
}
