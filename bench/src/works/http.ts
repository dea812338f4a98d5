/** autocannon against an HTTP backend, as users of Node expect. Its own thread is the limit long before most proxies are. */
import { availableParallelism } from 'node:os';
import autocannon from 'autocannon';
import { memoryFigures } from '../load.js';
import type { Errors, Target, ProxyWork } from '../model.js';
import { cpuTimes } from '../process-tree.js';

const CONNECTIONS = 64;
const MOST_ROUNDS = 3;

function errorsOf(result: autocannon.Result): Errors {
  const counts = {
    connect: result.errors,
    timeout: result.timeouts,
    non2xx: result.non2xx,
    mismatches: result.mismatches,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

async function load(target: Target, seconds: number): Promise<autocannon.Result> {
  return autocannon({
    url: `http://127.0.0.1:${target.port}/`,
    connections: CONNECTIONS,
    duration: seconds,
    expectBody: 'Hello, world!',
  });
}

export const http: ProxyWork = {
  name: 'http',
  title: `autocannon, ${CONNECTIONS} keep-alive connections`,
  backend: 'http',
  columns: [
    { key: 'rate', title: 'requests/s', better: 'higher', digits: 0 },
    { key: 'p50Ms', title: 'p50 ms', digits: 0 },
    { key: 'p99Ms', title: 'p99 ms', digits: 0 },
    { key: 'systemCpu', title: 'system CPU µs/request', better: 'lower', digits: 1 },
    { key: 'proxyCpu', title: 'proxy CPU µs/request', better: 'lower', digits: 1 },
    { key: 'peakMb', title: 'peak MB', digits: 1 },
  ],
  rounds: (wanted) => Math.min(wanted, MOST_ROUNDS),
  suits: () => true,
  measure: async (target, run) => {
    const cpus = availableParallelism();
    const startedMs = performance.now();
    const everyone = [...target.pids(), target.backendPid, process.pid];
    const before = cpuTimes(target.pids(), 0, cpus);
    const ownBefore = cpuTimes(everyone, 0, cpus).processesUs;
    const result = await load(target, run.seconds);
    const seconds = (performance.now() - startedMs) / 1_000;
    const after = cpuTimes(target.pids(), seconds * 1e6, cpus);
    const ownUs = cpuTimes(everyone, 0, cpus).processesUs - ownBefore;
    const busyUs = after.busyUs - before.busyUs;
    const requests = result.requests.total;
    const figures = {
      rate: requests / seconds,
      p50Ms: result.latency.p50,
      p99Ms: result.latency.p99,
      systemCpu: busyUs / requests,
      proxyCpu: (after.processesUs - before.processesUs) / requests,
      foreignPct: Math.max(0, ((busyUs - ownUs) / (seconds * 1e6 * cpus)) * 100),
      ...memoryFigures(target),
    };
    return { figures, errors: errorsOf(result) };
  },
};
