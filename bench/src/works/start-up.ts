/** From the spawn of the proxy to the first byte that came back through it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProxyWork } from '../model.js';
import { answers } from '../probe.js';

const WORKERS = 2;
const RETRY_MS = 1;
const TIMEOUT_MS = 10_000;

export const startUp: ProxyWork = {
  name: 'start',
  title: `spawn to first byte through the proxy, ${WORKERS} workers`,
  backend: 'echo',
  fresh: { workers: WORKERS, isReady: false },
  columns: [{ key: 'startMs', title: 'ms', better: 'lower', digits: 0 }],
  rounds: (wanted) => wanted,
  suits: (proxy) => proxy !== 'direct',
  measure: async (target) => {
    while (!(await answers(target.port, 'echo'))) {
      if (performance.now() - target.spawnedAtMs > TIMEOUT_MS) return { figures: {}, errors: { stalled: 1 } };
      await sleep(RETRY_MS);
    }
    return { figures: { startMs: performance.now() - target.spawnedAtMs }, errors: {} };
  },
};
