import type { Reloader } from '../../../../application/ports/reloader.js';
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import { ApiError } from '../api-error.js';
import { endpoint, ok, type Endpoint } from '../endpoint.js';
import { reloadSchema } from '../schemas/registration-schema.js';

const MOST_PROBLEMS = 100;

export function reloadEndpoints(view: ProxyView, reloader: Reloader): readonly Endpoint[] {
  return [
    endpoint(
      {
        method: 'POST',
        path: '/api/v1/reload',
        operationId: 'reload',
        summary: 'Read the configuration and the databases again, as SIGHUP does',
        answers: { 200: reloadSchema },
        errors: ['refused'],
      },
      async () => {
        const outcome = await reloader.reload();
        if (outcome.isApplied) {
          const { changed, waiting } = outcome;
          return ok({ reloaded: true, changed, waiting, backends: view.stats().backends });
        }
        const problems = outcome.problems.slice(0, MOST_PROBLEMS);
        const reason = problems[0] ?? 'the log says why';
        throw new ApiError('refused', 'The configuration is wrong; the old one stays in force.', { reason, problems });
      },
    ),
  ];
}
