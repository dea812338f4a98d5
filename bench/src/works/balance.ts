/** How evenly long-lived connections lie on four workers, read from the sockets that each worker holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldConnections } from '../held-connections.js';
import type { ProxyWork } from '../model.js';
import { connectionsPerProcess } from '../process-tree.js';

const CONNECTIONS = 2_000;
const WORKERS = 4;
const MOST_ROUNDS = 3;
const START_TIMEOUT_MS = 5_000;
const POLL_MS = 50;

/** The listener may be open before every worker is: wait for the processes, then a moment for their start. */
async function untilWorkersRun(pids: () => readonly number[]): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (pids().length < WORKERS + 1 && performance.now() < deadlineMs) await sleep(POLL_MS);
  await sleep(10 * POLL_MS);
}

export const balance: ProxyWork = {
  name: 'balance',
  title: `${CONNECTIONS} connections over ${WORKERS} workers`,
  backend: 'echo',
  fresh: { workers: WORKERS, isReady: true },
  columns: [
    { key: 'spreadPct', title: 'worst worker off the mean by %', digits: 2 },
    { key: 'least', title: 'least', digits: 0 },
    { key: 'most', title: 'most', digits: 0 },
  ],
  rounds: (wanted) => Math.min(wanted, MOST_ROUNDS),
  suits: (proxy) => proxy.startsWith('edgeproxy'),
  measure: async (target, run) => {
    await untilWorkersRun(() => target.pids());
    const held = await HeldConnections.open(run.clientProgram, target, CONNECTIONS);
    // The first process is the primary; it accepts, but holds no connection.
    const counts = connectionsPerProcess(target.pids().slice(1), target.port);
    const errors = await held.release();
    const mean = counts.reduce((sum, count) => sum + count, 0) / WORKERS;
    const spread = Math.max(...counts.map((count) => Math.abs(count - mean)));
    const figures = { spreadPct: (spread / mean) * 100, least: Math.min(...counts), most: Math.max(...counts) };
    return { figures, errors };
  },
};
