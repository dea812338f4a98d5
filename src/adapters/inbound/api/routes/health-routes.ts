import { z } from 'zod';
import type { BackendDirectory } from '../../../../application/ports/backend-directory.js';
import type { ProxyView } from '../../../../application/ports/proxy-view.js';
import { endpoint, ok, type Endpoint } from '../endpoint.js';
import { count } from '../schemas/counts.js';

const healthSchema = z.object({
  status: z
    .enum(['starting', 'ok', 'draining'])
    .describe('starting: it takes no clients yet; draining: none any more.'),
  version: z.string(),
  registered_backends: count,
  uptime_secs: z.number().nonnegative(),
});

export function healthEndpoints(view: ProxyView, directory: BackendDirectory): readonly Endpoint[] {
  return [
    endpoint(
      {
        method: 'GET',
        path: '/health',
        operationId: 'health',
        summary: 'Whether the proxy runs',
        answers: { 200: healthSchema },
        isOpen: true,
      },
      () => {
        const { version, uptimeSecs, phase } = view.stats();
        return ok({
          status: phase === 'serving' ? 'ok' : phase,
          version,
          registered_backends: directory.count,
          uptime_secs: uptimeSecs,
        } satisfies z.input<typeof healthSchema>);
      },
    ),
  ];
}
