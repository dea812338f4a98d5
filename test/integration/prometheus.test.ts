/** What Prometheus itself says of the proxy's metrics, and of the files in deploy/ that are for it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { echo } from '../support/backend-behaviours.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { program } from '../support/program.js';
import { Prometheus } from '../support/prometheus.js';
import { startProxy } from '../support/proxy-process.js';
import { startBackend } from '../support/tcp-backend.js';

const FILES = fileURLToPath(new URL('../../deploy/prometheus', import.meta.url));
const ALERTS = join(FILES, 'alerts.yml');
const TIME_LIMIT = { timeout: 300_000 };

function promtool(args: readonly string[], input = ''): void {
  const { status, stdout, stderr } = spawnSync(program('promtool', 'prometheus'), args, { encoding: 'utf8', input });
  assert.equal(status, 0, `promtool ${args.join(' ')}\n${stdout}${stderr}`);
}

describe('the files for Prometheus', TIME_LIMIT, () => {
  it('are valid', () => {
    promtool(['check', 'config', join(FILES, 'prometheus.yml')]);
    promtool(['check', 'rules', ALERTS]);
  });

  it('raise the alerts that they should, and no other', () => {
    promtool(['test', 'rules', join(FILES, 'alerts.test.yml')]);
  });
});

describe('a proxy that Prometheus scrapes', TIME_LIMIT, () => {
  it('has faultless metrics, which queries answer from', async (t) => {
    const backend = await startBackend(t, echo);
    const env = { EDGEPROXY_METRICS_ENABLED: 'on', EDGEPROXY_METRICS_LISTEN_ADDR: '127.0.0.1:0' };
    const proxy = await startProxy(t, { backends: [{ id: 'one', region: 'sa', port: backend.port }], env });
    const { port } = await proxy.waitForLog(({ msg }) => msg === 'metrics are served');
    for (let client = 0; client < 3; client++) {
      const peer = await connectPeer(t, proxy);
      await peer.write('hello');
      await peer.read(5);
      await peer.end();
      await peer.readToEnd();
    }
    const target = `127.0.0.1:${Number(port)}`;
    const prometheus = await Prometheus.start(t, target, ALERTS);
    const answers = async (expression: string, expected: readonly string[]): Promise<void> => {
      await eventually(expression, async () => {
        const values = (await prometheus.query(expression)).map(({ value }) => value[1]);
        return JSON.stringify(values) === JSON.stringify(expected);
      });
    };
    await answers('up', ['1']);
    await answers('edgeproxy_connections_total', ['3']);
    await answers('sum by (backend) (edgeproxy_backend_connections_total{region="sa"})', ['3']);
    await answers('edgeproxy_connection_bytes_sum / edgeproxy_connection_bytes_count', ['10']);
    await answers('histogram_quantile(0.5, edgeproxy_backend_rtt_seconds_bucket{backend="one"}) > bool 0', ['1']);
    const alerts = await eventually('every alert was evaluated', async () => {
      const found = await prometheus.alerts();
      return found.every(({ health }) => health !== 'unknown') && found;
    });
    assert.ok(alerts.length >= 10);
    assert.deepEqual(
      alerts.filter(({ health }) => health !== 'ok'),
      [],
    );
    promtool(['check', 'metrics'], await (await fetch(`http://${target}/metrics`)).text());
  });
});
