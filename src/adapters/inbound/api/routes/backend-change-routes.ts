/** What operators change about a backend while the proxy runs. */
import type { BackendDirectory } from '../../../../application/ports/backend-directory.js';
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import type { ChangeOutcome } from '../../../../application/ports/registration-store.js';
import { ApiError } from '../api-error.js';
import { endpoint, ok, type Endpoint } from '../endpoint.js';
import { backendParams } from '../schemas/backend-params.js';
import { backendJson, backendSchema } from '../schemas/backend-schema.js';
import { changeSchema, changeValues, removedSchema } from '../schemas/registration-schema.js';
import { noSuchBackend } from './backend-routes.js';
import { refusedByTable } from './discovery-routes.js';

export function backendChangeEndpoints(view: ProxyView, directory: BackendDirectory): readonly Endpoint[] {
  /** Throws where it is not done. */
  const check = (id: string, outcome: ChangeOutcome): void => {
    if (outcome.kind === 'refused') throw refusedByTable(outcome.reason);
    if (outcome.kind !== 'unknown') return;
    throw view.backend(id) === null ? noSuchBackend(id) : ownedElsewhere(id);
  };
  return [
    endpoint(
      {
        method: 'PATCH',
        path: '/api/v1/backends/{id}',
        operationId: 'changeBackend',
        summary: 'Change weight or limits of a backend, drain it, take it out of service',
        params: backendParams,
        body: changeSchema,
        answers: { 200: backendSchema },
        errors: ['not_found', 'conflict', 'unavailable'],
      },
      async ({ params: { id }, body }) => {
        check(id, await directory.change(id, changeValues(body)));
        const status = view.backend(id);
        // It is in the database, and the routing table has no room for it.
        if (status === null) throw noSuchBackend(id);
        return ok(backendJson(status, directory.heartbeatAgeSecs(id)));
      },
    ),
    endpoint(
      {
        method: 'DELETE',
        path: '/api/v1/backends/{id}',
        operationId: 'removeBackend',
        summary: 'Remove a backend; connections that are open stay',
        params: backendParams,
        answers: { 200: removedSchema },
        errors: ['not_found', 'conflict', 'unavailable'],
      },
      async ({ params: { id } }) => {
        check(id, await directory.remove(id));
        return ok({ id, removed: true, message: 'removed; connections that are open stay' });
      },
    ),
  ];
}

function ownedElsewhere(id: string): ApiError {
  const reason = `${JSON.stringify(id)} comes from a rule of the configuration file or from Redis; change it there`;
  return new ApiError('conflict', 'It is not in the routing database.', { field: 'id', reason });
}
