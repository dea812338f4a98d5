import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import { endpoint, ok, type Endpoint } from '../endpoint.js';
import { eventListJson, eventListSchema } from '../schemas/event-schema.js';
import { statsJson, statsSchema } from '../schemas/stats-schema.js';
import { workerListJson, workerListSchema } from '../schemas/worker-schema.js';

/** The proxy as a whole. */
export function stateEndpoints(view: ProxyView): readonly Endpoint[] {
  return [
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/stats',
        operationId: 'stats',
        summary: 'Connections, bytes and bindings of the proxy',
        answers: { 200: statsSchema },
      },
      () => ok(statsJson(view.stats())),
    ),
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/workers',
        operationId: 'workers',
        summary: 'The worker processes',
        answers: { 200: workerListSchema },
      },
      () => ok(workerListJson(view.workers())),
    ),
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/events',
        operationId: 'events',
        summary: 'The latest warnings and errors, 200 at most',
        answers: { 200: eventListSchema },
      },
      () => ok(eventListJson(view.events())),
    ),
  ];
}
