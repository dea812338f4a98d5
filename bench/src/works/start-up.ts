/** From the spawn of the proxy to the first byte that came back through it. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProxyWork } from '../model.js';

const WORKERS = 2;
const RETRY_MS = 1;
const TIMEOUT_MS = 10_000;

/** One byte there and back; false when the connection was refused or ended. */
function echoesByte(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const settle = (isEchoed: boolean): void => {
      socket.destroy();
      resolve(isEchoed);
    };
    socket.setTimeout(TIMEOUT_MS, () => settle(false));
    socket.once('data', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.write('x');
  });
}

export const startUp: ProxyWork = {
  name: 'start',
  title: `spawn to first byte through the proxy, ${WORKERS} workers`,
  backend: 'echo',
  fresh: { workers: WORKERS, isReady: false },
  columns: [{ key: 'startMs', title: 'ms', better: 'lower', digits: 0 }],
  rounds: (wanted) => wanted,
  suits: (proxy) => proxy !== 'direct',
  measure: async (target) => {
    while (!(await echoesByte(target.port))) {
      if (performance.now() - target.spawnedAtMs > TIMEOUT_MS) return { figures: {}, errors: { stalled: 1 } };
      await sleep(RETRY_MS);
    }
    return { figures: { startMs: performance.now() - target.spawnedAtMs }, errors: {} };
  },
};
