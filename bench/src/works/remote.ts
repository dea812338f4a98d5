/**
 * A backend 50 ms away: what a connect costs a client, and what one that was made ahead spares it.
 *
 * Proxies, backend and load run in a network namespace of their own, whose delay device holds real packets back (see
 * native/delay-tun.c). Neither HAProxy nor nginx can open connections ahead in TCP mode: HAProxy's pools and `http-reuse` and
 * nginx's `keepalive` share connections between requests of HTTP, which a byte stream does not have.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BackendPlace, ProxyWork, RunPlan, Sample, StandaloneWork } from '../model.js';
import { loadWork } from './load-work.js';

const DELAY_MS = 25;
const UNAVAILABLE = 3;
/** Connects under way at any time: five of the pool's ten, and twice as many as it has. */
const STEADY_RATE = 100;
const RATE_BEYOND = 400;
const WARMUP_SECONDS = 0.6;
const MOST_ROUNDS = 3;
const PROXIES: readonly string[] = ['haproxy', 'nginx', 'edgeproxy-handoff', 'edgeproxy-pool'];
const INNER = fileURLToPath(new URL('../remote-run.ts', import.meta.url));

/** As delay-tun.c has it. */
export const FAR_AWAY: BackendPlace = { listensOn: '10.77.0.1', isAt: '10.77.0.2' };

/** What the process in the namespace is told. */
export interface RemoteOrder extends Pick<RunPlan, 'rounds' | 'seconds' | 'programs' | 'directory'> {
  readonly work: string;
  readonly proxies: readonly string[];
}

function innerWork(name: string, rate: number): ProxyWork {
  const work = loadWork({
    name,
    title: `connect + 64 B + first byte back from a backend ${2 * DELAY_MS} ms away, ${rate} connections/s`,
    backend: 'echo',
    columns: [
      { key: 'rate', title: 'connection/s', digits: 0 },
      { key: 'p50Us', title: 'p50 µs', better: 'lower', digits: 0 },
      { key: 'p99Us', title: 'p99 µs', better: 'lower', digits: 0 },
      { key: 'proxyCpu', title: 'proxy CPU µs/connection', better: 'lower', digits: 0 },
    ],
    load: () => ({ mode: 'connect', rate, size: 64, warmup: WARMUP_SECONDS }),
  });
  return { ...work, rounds: (wanted) => Math.min(wanted, MOST_ROUNDS), suits: (proxy) => PROXIES.includes(proxy) };
}

/** What is measured in the namespace. */
export const innerWorks: readonly ProxyWork[] = [
  innerWork('remote', STEADY_RATE),
  innerWork('remote-beyond', RATE_BEYOND),
];

/** The same for the run outside: a process in a new namespace does it. */
export const remoteWorks: readonly StandaloneWork[] = innerWorks.map((inner) => ({
  name: inner.name,
  title: inner.title,
  columns: inner.columns,
  runAlone: async (plan) => {
    const { rounds, seconds, programs, directory } = plan;
    const proxies = plan.proxies.map(({ name }) => name).filter((name) => inner.suits(name));
    const { code, output } = await runFarAway({ work: inner.name, proxies, rounds, seconds, programs, directory });
    if (code === UNAVAILABLE) {
      plan.report(`skipped ${inner.name}: it needs root, /dev/net/tun and a network namespace`);
      return new Map();
    }
    if (code !== 0) throw new Error(`the run in the namespace ended with ${code}`);
    return new Map(JSON.parse(output) as [string, Sample[]][]);
  },
}));

function runFarAway(order: RemoteOrder): Promise<{ readonly code: number | null; readonly output: string }> {
  const inner = [process.execPath, '--import', 'tsx', INNER, JSON.stringify(order)];
  // Both end with this process, whatever ends it (PR_SET_PDEATHSIG).
  const child = spawn(order.programs.delayTun, [String(DELAY_MS), ...inner], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
