/**
 * What a scrape of thousands of backends takes the primary: gathering from shared memory, and writing the text; beside it
 * prom-client with the same counters and gauges, without the histograms.
 *
 *   npx tsx bench/metrics-scrape.bench.ts [backends = 4000] [workers = 2] [rounds = 30]
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Counter, Gauge, Registry } from 'prom-client';
import { Exposition } from '../src/adapters/inbound/metrics/exposition.js';
import { METRICS, type MetricName, type Sample, type Samples } from '../src/application/metrics/metric-catalogue.js';
import { ProxyMetrics } from '../src/application/metrics/proxy-metrics.js';
import { initialiseRegion, regionBytes, type ControlRegion } from '../src/domain/shared/control-region.js';
import { BACKEND, BACKEND_ERRORS, CONNECT_BOUNDS_MICROS, HISTOGRAM, WORKER_ROW } from '../src/domain/shared/layout.js';
import type { PublishedBackend } from '../src/domain/shared/routes-writer.js';

const [backends = 4000, workers = 2, rounds = 30] = process.argv.slice(2).map(Number);
const NO_SERIES: Record<string, readonly Sample[]> = {};

function makeRegion(): ControlRegion {
  const capacity = { workers, backends, bindingSets: 1, rateSets: 1, clientSets: 1 };
  return initialiseRegion(new SharedArrayBuffer(regionBytes(capacity)), capacity, [1, 2, 3, 4]);
}

function table(): PublishedBackend[] {
  return Array.from({ length: backends }, (_, slot) => ({
    slot,
    pool: 0,
    isInline: false,
    backend: {
      ...{ id: `backend-${slot}.example`, app: '', region: 'eu', country: 'DE', address: '127.0.0.1', port: 80 },
      ...{ isHealthy: true, isDraining: false, weight: 1, softLimit: 1, hardLimit: 0 },
    },
  }));
}

/** As after some traffic: every number another one, and none of them small. */
function count(region: ControlRegion, round: number): void {
  const { words } = region;
  for (let slot = 0; slot < backends; slot++) {
    words[region.backendAt(slot) + BACKEND.ACTIVE] = (slot * 7 + round) % 1000;
    for (let worker = 0; worker < workers; worker++) {
      const row = region.rowAt(worker, slot);
      words[row + WORKER_ROW.CONNECTIONS] = 100_000 + slot * 17 + round;
      for (let error = 0; error < BACKEND_ERRORS.length; error++) words[row + WORKER_ROW.ERRORS + error] = slot + round;
    }
    const times = region.connectTimesAt(slot);
    for (let bucket = 0; bucket <= CONNECT_BOUNDS_MICROS.length; bucket++)
      words[times + HISTOGRAM.COUNTS + 2 * bucket] = slot * 31 + bucket * round;
    words[times + HISTOGRAM.SUM] = 1_000_000_007 + slot * 1_000 + round;
  }
}

/** prom-client as it is meant to be used for values that are counted elsewhere. */
function promClient(): (samples: Samples) => Promise<string> {
  const registry = new Registry();
  const names = (Object.keys(METRICS) as MetricName[]).filter((name) => METRICS[name].type !== 'histogram');
  const series = names.map((name) => {
    const { type, labels, help } = METRICS[name];
    const options = { name, help, labelNames: labels, registers: [registry] };
    return { name, metric: type === 'counter' ? new Counter(options) : new Gauge(options) };
  });
  return async (samples) => {
    for (const { name, metric } of series) {
      metric.reset();
      for (const { labels, value } of { ...NO_SERIES, ...samples }[name] as readonly Sample[])
        metric.inc(labels, value);
    }
    return registry.metrics();
  };
}

function told(what: string, times: number[]): void {
  const [least = 0, median = 0, most = 0] = [0, 0.5, 1].map(
    (part) => [...times].sort((a, b) => a - b)[Math.round(part * (times.length - 1))],
  );
  console.log(`${what.padEnd(36)} ${[least, median, most].map((ms) => `${ms.toFixed(1)} ms`).join('  ')}`);
}

async function measure(what: string, region: ControlRegion, turn: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    count(region, round);
    const before = process.cpuUsage();
    await turn();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
    await delay(20);
  }
  told(what, times.slice(3));
}

async function main(): Promise<void> {
  const region = makeRegion();
  const metrics = new ProxyMetrics(region, () => []);
  metrics.useBackends(table());
  const exposition = new Exposition();
  const other = promClient();
  const loop = monitorEventLoopDelay({ resolution: 1 });
  console.log(`${backends} backends, ${workers} workers, CPU time: least, median, most of ${rounds - 3} rounds`);
  await measure('gather', region, () => Promise.resolve(metrics.samples()));
  let bytes = 0;
  loop.enable();
  await measure('gather and write', region, async () => (bytes = (await exposition.render(metrics.samples())).length));
  loop.disable();
  console.log(`  ${(bytes / 1e6).toFixed(1)} MB; the loop's longest delay ${(loop.max / 1e6).toFixed(1)} ms`);
  await measure('gather, prom-client without histograms', region, async () => other(metrics.samples()));
  exposition.close();
}

await main();
