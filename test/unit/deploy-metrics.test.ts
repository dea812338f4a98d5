/** The dashboard and the alerts ask for series that there are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { METRICS, type MetricName } from '../../src/application/metrics/metric-catalogue.js';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const SERIES = /\bedgeproxy_[a-z_]+/g;
const SUFFIX = /_(?:bucket|sum|count)$/;

function textOf(path: string): string {
  return readFileSync(join(DEPLOY, path), 'utf8');
}

/** The series that a text names; throws where one is none. */
function seriesIn(text: string): Set<MetricName> {
  const names = new Set<MetricName>();
  for (const [series] of text.matchAll(SERIES)) {
    const name = series in METRICS ? series : series.replace(SUFFIX, '');
    const description = name in METRICS ? METRICS[name as MetricName] : undefined;
    assert.ok(description, `${series} is no series`);
    assert.equal(series !== name, description.type === 'histogram', series);
    names.add(name as MetricName);
  }
  return names;
}

/** Every string under a key, however deep. */
function valuesOf(key: string, tree: unknown): string[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([name, value]) =>
    name === key && typeof value === 'string' ? [value] : valuesOf(key, value),
  );
}

describe('the dashboard', () => {
  const dashboard: unknown = JSON.parse(textOf('grafana/edgeproxy.json'));

  it('shows every series of the proxy, and no other', () => {
    const names = seriesIn([...valuesOf('expr', dashboard), ...valuesOf('query', dashboard)].join('\n'));
    assert.deepEqual([...names].sort(), Object.keys(METRICS).sort());
  });

  it('asks whichever Prometheus is chosen, for the proxies that are chosen', () => {
    const uids = new Set(valuesOf('uid', dashboard));
    assert.deepEqual([...uids].sort(), ['${datasource}', 'edgeproxy']);
    for (const expression of valuesOf('expr', dashboard))
      assert.match(expression, /job="edgeproxy",instance=~"\$instance"/, expression);
  });
});

describe('the alerts', () => {
  it('go by series that there are', () => {
    const expressions = textOf('prometheus/alerts.yml').replace(/^.*(?:summary|description):.*$/gm, '');
    assert.ok(seriesIn(expressions).size >= 10);
  });
});
