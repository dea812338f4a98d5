/**
 * What active health checks cost the process that makes them: its share of a core and how long its loop is held up, with
 * thousands of backends. Each backend is a loopback address of its own; one other process answers for all of them.
 *
 *   npx tsx bench/health-checks.bench.ts [backends = 4000] [interval = 5 s] [seconds = 20]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SocketProber } from '../src/adapters/outbound/health/socket-prober.js';
import { HealthMonitor, type HealthSettings } from '../src/application/health-monitor.js';
import type { CheckType } from '../src/domain/backend.js';
import type { PublishedBackend } from '../src/domain/shared/routes-writer.js';

const [backends = 4000, intervalSecs = 5, seconds = 20] = process.argv.slice(2).map(Number);
/** Of what Node.js reports as delay, this much is the sampling itself. */
const RESOLUTION_MS = 1;

function serve(): void {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  server.listen({ host: '0.0.0.0', port: 0, backlog: 4096 }, () => process.send?.(server.address()));
  process.on('disconnect', () => process.exit());
}

function table(port: number): PublishedBackend[] {
  return Array.from({ length: backends }, (_, slot) => ({
    slot,
    pool: 0,
    isInline: false,
    backend: {
      ...{ id: `b${slot}`, app: '', region: '', country: '', port, isHealthy: true, isDraining: false },
      ...{ weight: 1, softLimit: 1, hardLimit: 0 },
      address: `127.1.${Math.floor(slot / 250)}.${1 + (slot % 250)}`,
    },
  }));
}

function settings(type: CheckType): HealthSettings {
  const texts = { path: '/health', statuses: [{ first: 200, last: 200 }], send: '', expect: '' };
  const thresholds = { healthy: 2, unhealthy: 3 };
  return { type, intervalMs: intervalSecs * 1000, timeoutMs: 2000, attempts: 1, maxProbes: 1024, thresholds, ...texts };
}

async function measure(name: string, type: CheckType | null, port: number): Promise<void> {
  let changes = 0;
  let checks = 0;
  const prober = new SocketProber();
  const monitor = new HealthMonitor({
    prober: { start: (probe, done) => (checks++, prober.start(probe, done)) },
    nowMs: () => performance.now(),
    random: Math.random,
    schedule: (action, delayMs) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    onChange: () => {
      changes += 1;
    },
    onForget: () => undefined,
    onConnect: () => undefined,
    onSkip: () => {
      changes += 1;
    },
  });
  monitor.configure(type === null ? null : settings(type));
  monitor.useBackends(table(port));
  monitor.start();
  // First checks, and the compiler.
  await delay(intervalSecs * 1000);
  checks = 0;
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loop.enable();
  const before = process.cpuUsage();
  await delay(seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  loop.disable();
  monitor.stop();
  const share = ((user + system) / 1e4 / seconds).toFixed(1);
  const [p50, p99, max] = [loop.percentile(50), loop.percentile(99), loop.max].map((ns) => (ns / 1e6).toFixed(1));
  const rate = (checks / seconds).toFixed(0);
  console.log(
    `${name.padEnd(5)} ${rate} checks/s, ${share} % of a core, loop delay p50 ${p50} p99 ${p99} max ${max} ms, ${changes} changes`,
  );
}

if (process.send !== undefined) serve();
else {
  const server = fork(fileURLToPath(import.meta.url));
  const [{ port }] = (await once(server, 'message')) as [{ port: number }];
  console.log(`${backends} backends every ${intervalSecs} s`);
  for (const [name, type] of [
    ['off', null],
    ['tcp', 'tcp'],
    ['http', 'http'],
  ] as const)
    await measure(name, type, port);
  server.disconnect();
}
