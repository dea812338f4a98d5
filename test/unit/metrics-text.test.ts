/** The text of the series, beside prom-client's of the same values, and the bounds that C++ counts by. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Counter, Gauge, Registry } from 'prom-client';
import { SeriesText } from '../../src/adapters/inbound/metrics/series-text.js';
import { METRICS, type Labels, type MetricName, type Sample } from '../../src/application/metrics/metric-catalogue.js';
import { ProxyMetrics } from '../../src/application/metrics/proxy-metrics.js';
import { RunTotals } from '../../src/application/run-totals.js';
import {
  BYTES_BOUNDS,
  CONNECT_BOUNDS_MICROS,
  DECISION_BOUNDS_NANOS,
  DURATION_BOUNDS_MS,
  HISTOGRAM,
  HISTOGRAM_LINES,
  WORDS_PER_LINE,
  WORKER,
  WORKER_ROW,
} from '../../src/domain/shared/layout.js';
import type { PublishedBackend } from '../../src/domain/shared/routes-writer.js';
import { parseExposition, type ScrapedFamily } from '../support/exposition-text.js';
import { backend, newRegion } from '../support/routing-rig.js';

const LAYOUT_HEADER = fileURLToPath(new URL('../../native/engine/shared_layout.h', import.meta.url));
/** What must be escaped, and what must not. */
const IDS = ['plain', 'quote " and \\', 'line\nend', 'ünïcödé', '{a="b"}', ''];

function published(ids: readonly string[]): PublishedBackend[] {
  return ids.map((id, slot) => ({ slot, pool: 0, isInline: false, backend: backend(id, { region: 'eu' }) }));
}

function textOf(metrics: ProxyMetrics, text = new SeriesText()): string {
  return [...text.write(metrics.samples())].join('');
}

function familyOf(text: string, name: MetricName): ScrapedFamily {
  const family = parseExposition(text).get(name);
  assert.ok(family);
  return family;
}

/** All that prom-client can be given values for. */
async function byPromClient(metrics: ProxyMetrics): Promise<string> {
  const registry = new Registry();
  for (const [name, samples] of Object.entries(metrics.samples()) as [MetricName, readonly Sample[]][]) {
    const { type, labels, help } = METRICS[name];
    if (type === 'histogram') continue;
    const options = { name, help, labelNames: labels, registers: [registry] };
    const series = type === 'counter' ? new Counter(options) : new Gauge(options);
    series.reset();
    for (const sample of samples) series.inc(sample.labels, sample.value);
  }
  return registry.metrics();
}

function boundsIn(header: string, name: string): number[] {
  const [, list = ''] = new RegExp(`${name}\\[\\] = \\{([^}]*)\\}`).exec(header) ?? [];
  return list.split(',').map((bound) => Number(bound.replaceAll("'", '').trim()));
}

describe('the text of the series', () => {
  it('is prom-client’s, whatever backends are called', async () => {
    const { region } = newRegion();
    const metrics = new ProxyMetrics(region, () => [{ rule: 'a "rule"', router: 'r\\', number: 7 }]);
    metrics.useBackends(published(IDS));
    new RunTotals(region).countRoutingRead('unchanged');
    for (const slot of IDS.keys()) region.words[region.rowAt(slot % 4, slot) + WORKER_ROW.CONNECTIONS] = 10 + slot;
    region.words[region.workerAt(2) + WORKER.LAG_MS] = 1;
    region.words[region.workerAt(3) + WORKER.ACCEPTED + 1] = 1;
    const own = parseExposition(textOf(metrics));
    for (const [name, { type }] of Object.entries(METRICS)) if (type === 'histogram') own.delete(name);
    assert.deepEqual(own, parseExposition(await byPromClient(metrics)));
    assert.equal(own.get('edgeproxy_connections_total')?.samples[0]?.value, 2 ** 32);
  });

  it('adds a histogram’s buckets up, in seconds', () => {
    const { region } = newRegion();
    const metrics = new ProxyMetrics(region, () => []);
    metrics.useBackends(published(['a', 'b']));
    const times = region.connectTimesAt(1);
    region.words[times + HISTOGRAM.SUM] = 2_500_000;
    region.words[times + HISTOGRAM.COUNTS] = 3;
    region.words[times + HISTOGRAM.COUNTS + 2 * CONNECT_BOUNDS_MICROS.length] = 2;
    const { type, samples } = familyOf(textOf(metrics), 'edgeproxy_backend_rtt_seconds');
    assert.equal(type, 'histogram');
    const ofB = samples.filter(({ labels }) => labels['backend'] === 'b');
    const les = CONNECT_BOUNDS_MICROS.map((bound) => String(bound / 1e6));
    assert.deepEqual(
      ofB.map(({ name, labels: { le, region: area }, value }) => [name.split('_').at(-1), area, le, value]),
      [
        ...les.map((le) => ['bucket', 'eu', le, 3]),
        ['bucket', 'eu', '+Inf', 5],
        ['sum', 'eu', undefined, 2.5],
        ['count', 'eu', undefined, 5],
      ],
    );
  });

  it('sums the histograms of all workers', () => {
    const { region } = newRegion();
    for (const worker of [0, 3]) {
      const at = region.workerAt(worker) + WORKER.BYTES;
      region.words[at + HISTOGRAM.SUM] = 100 + worker;
      region.words[at + HISTOGRAM.COUNTS + 2] = 1;
    }
    const { samples } = familyOf(textOf(new ProxyMetrics(region, () => [])), 'edgeproxy_connection_bytes');
    const valueOf = (labels: Labels, suffix: string): number | undefined =>
      samples.find((it) => it.name.endsWith(suffix) && it.labels['le'] === labels['le'])?.value;
    assert.deepEqual(
      [valueOf({ le: '64' }, 'bucket'), valueOf({ le: '256' }, 'bucket'), valueOf({}, 'sum'), valueOf({}, 'count')],
      [0, 2, 203, 2],
    );
  });

  it('has the backends that there are now, after some have gone, come and moved', () => {
    const { region } = newRegion();
    const metrics = new ProxyMetrics(region, () => []);
    const text = new SeriesText();
    for (const ids of [['a', 'b', 'c'], ['c', 'd'], [], ['d', 'a', 'b', 'e']]) {
      metrics.useBackends(published(ids));
      for (const name of ['edgeproxy_backend_up', 'edgeproxy_backend_errors_total'] as const) {
        const { samples } = familyOf(textOf(metrics, text), name);
        assert.deepEqual([...new Set(samples.map(({ labels }) => labels['backend']))], ids);
      }
    }
    metrics.useBackends(published(['d']).map((it) => ({ ...it, backend: { ...it.backend, region: 'us' } })));
    assert.equal(familyOf(textOf(metrics, text), 'edgeproxy_backend_up').samples[0]?.labels['region'], 'us');
  });
});

describe('the bounds of histograms', () => {
  it('are in C++ what they are in layout.ts, ascending, and have room', () => {
    const header = readFileSync(LAYOUT_HEADER, 'utf8');
    const expected = {
      kConnectBoundsMicros: CONNECT_BOUNDS_MICROS,
      kDurationBoundsMs: DURATION_BOUNDS_MS,
      kBytesBounds: BYTES_BOUNDS,
      kDecisionBoundsNanos: DECISION_BOUNDS_NANOS,
    };
    for (const [name, bounds] of Object.entries(expected)) {
      assert.deepEqual(boundsIn(header, name), [...bounds], name);
      assert.deepEqual(
        [...bounds].sort((a, b) => a - b),
        [...new Set(bounds)],
        name,
      );
      assert.ok(HISTOGRAM.COUNTS + 2 * (bounds.length + 1) <= HISTOGRAM_LINES * WORDS_PER_LINE, name);
    }
  });
});
