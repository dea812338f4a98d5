/** Userland memory per idle connection: Pss of all processes of the proxy with 5,000 connections less that without. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldConnections } from '../held-connections.js';
import { memoryFigures, runLoad } from '../load.js';
import type { ProxyWork } from '../model.js';
import { pssKb } from '../process-tree.js';

const CONNECTIONS = 5_000;
/** First use fills caches and compiles code; that is not the price of a connection. */
const WARM_UP = { mode: 'connect', connections: 8, seconds: 0.1, warmup: 0 };
const SETTLE_MS = 200;
const MOST_ROUNDS = 3;

export const idleMemory: ProxyWork = {
  name: 'idle',
  title: `${CONNECTIONS} connections held, each after one 64 B echo`,
  backend: 'echo',
  fresh: { workers: 1, isReady: true },
  columns: [
    { key: 'bytesPerConnection', title: 'bytes/connection', better: 'lower', digits: 0 },
    { key: 'emptyMb', title: 'Pss MB before', digits: 1 },
    { key: 'heldMb', title: 'Pss MB with', digits: 1 },
    { key: 'peakMb', title: 'peak MB', digits: 1 },
  ],
  rounds: (wanted) => Math.min(wanted, MOST_ROUNDS),
  suits: (proxy) => proxy !== 'direct',
  measure: async (target, run) => {
    await runLoad(run.clientProgram, target, WARM_UP);
    await sleep(SETTLE_MS);
    const emptyKb = pssKb(target.pids());
    const held = await HeldConnections.open(run.clientProgram, target, CONNECTIONS);
    await sleep(SETTLE_MS);
    const heldKb = pssKb(target.pids());
    const errors = await held.release();
    const bytesPerConnection = ((heldKb - emptyKb) * 1_024) / held.count;
    const figures = { bytesPerConnection, emptyMb: emptyKb / 1_024, heldMb: heldKb / 1_024, ...memoryFigures(target) };
    return { figures, errors };
  },
};
