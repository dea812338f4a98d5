import { z } from 'zod';
import type { WorkerStatus } from '../../../../application/ports/proxy-view.js';
import { count } from './counts.js';

const workerSchema = z.object({
  id: count,
  pid: count.nullable().describe('null of one that died and whose successor waits.'),
  state: z
    .enum(['dead', 'starting', 'ready', 'shedding', 'stalled'])
    .describe('shedding: overloaded, it takes no new clients for now; stalled: its loop stands still.'),
  connections: count,
  event_loop_lag_ms: z.number().nonnegative(),
  restarts: count.describe('Successors so far.'),
});

export const workerListSchema = z.object({ workers: z.array(workerSchema), total: count });

export function workerListJson(workers: readonly WorkerStatus[]): z.input<typeof workerListSchema> {
  const rows = workers.map(({ id, pid, state, connections, loopLagMs, restarts }) => {
    return { id, pid, state, connections, event_loop_lag_ms: loopLagMs, restarts };
  });
  return { workers: rows, total: rows.length };
}
