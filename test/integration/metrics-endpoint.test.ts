/** Scrapes of a running proxy, read as strictly as Prometheus' text format is specified. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { METRICS } from '../../src/application/metrics/metric-catalogue.js';
import { echo } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { parseExposition, type ScrapedFamily } from '../support/exposition-text.js';
import { upgrade } from '../support/generations.js';
import { connectPeer } from '../support/peer.js';
import { spawnProxy, startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { edit } from '../support/routing-edits.js';
import type { Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
/** An address of this process's own on the loopback: at an upgrade the port must be known before. */
const OWN_ADDRESS = `127.78.${(process.pid >> 8) & 255}.${process.pid & 255}:9491`;

interface Scrape {
  readonly families: ReadonlyMap<string, ScrapedFamily>;
  readonly value: (name: keyof typeof METRICS, labels?: Readonly<Record<string, string>>) => number | undefined;
}

async function startWithMetrics(owner: Owner, options: ProxyOptions): Promise<ProxyProcess> {
  const env = {
    EDGEPROXY_METRICS_ENABLED: 'on',
    EDGEPROXY_METRICS_LISTEN_ADDR: '127.0.0.1:0',
    EDGEPROXY_METRICS_COLLECT_INTERVAL_SECS: '0.1',
    EDGEPROXY_HEALTH_CHECK_ENABLED: 'off',
    ...options.env,
  };
  return startProxy(owner, { ...options, env });
}

async function urlOf(proxy: ProxyProcess): Promise<string> {
  const { address, port, path } = await proxy.waitForLog(({ msg }) => msg === 'metrics are served');
  return `http://${String(address)}:${Number(port)}${String(path)}`;
}

async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const families = parseExposition(await response.text());
  const value = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
    families.get(name)?.samples.find((sample) => includes(sample.labels, labels))?.value;
  return { families, value };
}

function includes(all: Readonly<Record<string, string>>, some: Readonly<Record<string, string>>): boolean {
  return Object.entries(some).every(([key, text]) => all[key] === text);
}

function valuesOf({ families }: Scrape, name: keyof typeof METRICS): number[] {
  return (families.get(name)?.samples ?? []).map((sample) => sample.value);
}

/** Of a histogram: its `_count` or `_sum`. */
function observed({ families }: Scrape, name: string, suffix: string, labels = {}): number | undefined {
  const isIt = (it: ScrapedFamily['samples'][number]): boolean =>
    it.name === name + suffix && !('le' in it.labels) && includes(it.labels, labels);
  return families.get(name)?.samples.find(isIt)?.value;
}

/** Scrapes until what is there fits: an answer may serve for some milliseconds. */
function scrapedUntil(what: string, url: string, fits: (found: Scrape) => boolean): Promise<Scrape> {
  return eventually(what, async () => {
    const found = await scrape(url);
    return fits(found) ? found : undefined;
  });
}

/** Scrapes until what `pick` takes is what is expected: a gauge and a counter of the same event are not of one moment. */
async function scrapedAs(url: string, expected: readonly unknown[], pick: (found: Scrape) => unknown): Promise<Scrape> {
  let last: unknown;
  const look = async (): Promise<Scrape | undefined> => {
    const found = await scrape(url);
    last = pick(found);
    return isDeepStrictEqual(last, expected) ? found : undefined;
  };
  return eventually(`${JSON.stringify(expected)} is scraped`, look, { state: () => last });
}

async function exchange(owner: Owner, proxy: ProxyProcess, clients: number): Promise<void> {
  for (let client = 0; client < clients; client++) {
    const peer = await connectPeer(owner, proxy);
    await peer.write('hello');
    assert.equal(String(await peer.read(5)), 'hello');
    await peer.end();
    await peer.readToEnd();
  }
}

describe('the metrics endpoint', TIME_LIMIT, () => {
  it('has every series, with what came to pass', async (t) => {
    const backend = await startBackend(t, echo);
    const id = 'b"\\1';
    const backends = [
      { id, region: 'sa', port: backend.port },
      { id: 'down', region: 'eu', port: 1, isHealthy: false },
    ];
    const proxy = await startWithMetrics(t, { backends });
    const url = await urlOf(proxy);
    await exchange(t, proxy, 3);
    const open = await connectPeer(t, proxy);
    await open.write('x');
    await open.read(1);
    const expected = [3, 1, 4, 1, 16, 16, 4, 1, 1, 0, 2, 0, [0, 1], 3, 3, 30, 4, 4, 0];
    const { families, value } = await scrapedAs(url, expected, (found) => [
      found.value('edgeproxy_connections_ended_total', { reason: 'finished' }),
      found.value('edgeproxy_bindings'),
      found.value('edgeproxy_connections_total'),
      found.value('edgeproxy_connections_active'),
      found.value('edgeproxy_bytes_sent_total'),
      found.value('edgeproxy_bytes_received_total'),
      found.value('edgeproxy_backend_connections_total', { backend: id, region: 'sa' }),
      found.value('edgeproxy_backend_connections_active', { backend: id }),
      found.value('edgeproxy_backend_up', { backend: id }),
      found.value('edgeproxy_backend_up', { backend: 'down', region: 'eu' }),
      found.value('edgeproxy_routing_backends'),
      found.value('edgeproxy_connections_rejected_total', { reason: 'no_backend' }),
      valuesOf(found, 'edgeproxy_worker_connections_active').sort(),
      observed(found, 'edgeproxy_connection_duration_seconds', '_count'),
      observed(found, 'edgeproxy_connection_bytes', '_count'),
      observed(found, 'edgeproxy_connection_bytes', '_sum'),
      observed(found, 'edgeproxy_route_decision_seconds', '_count'),
      observed(found, 'edgeproxy_backend_rtt_seconds', '_count', { backend: id, region: 'sa' }),
      observed(found, 'edgeproxy_backend_rtt_seconds', '_count', { backend: 'down', region: 'eu' }),
    ]);
    for (const [name, { type }] of Object.entries(METRICS)) assert.equal(families.get(name)?.type, type, name);
    for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
      assert.ok(families.has(name), name);
    assert.ok((value('edgeproxy_routing_reload_total', { result: 'changed' }) ?? 0) >= 1);
    // A removed backend's series go with it.
    await edit(proxy, { down: { deleted: 1 } });
    await scrapedUntil('the backend is gone', url, (found) => {
      const labels = found.families.get('edgeproxy_backend_connections_total')?.samples.map((sample) => sample.labels);
      return labels?.length === 1 && labels[0]?.['backend'] === id;
    });
  });

  it('counts what each rule has got backends for', async (t) => {
    const backend = await startBackend(t, echo);
    const rule = (name: string, port: number, enabled: boolean): string => `
      [[rules]]
      name = "${name}"
      router = "turns"
      [rules.matcher]
      type = "source_ip"
      cidr = "${name === 'here' ? '127.0.0.1/32' : '127.0.0.2/32'}"
      [[rules.backends]]
      id = "own"
      address = "127.0.0.1:${port}"
      enabled = ${enabled}
    `;
    const file = await ConfigFile.make(t, {});
    const turns = '[routers.turns]\nplugin = "round_robin"\n';
    file.writeText(turns + rule('here', backend.port, true) + rule('elsewhere', 1, false));
    const proxy = await startWithMetrics(t, { args: ['--config', file.path] });
    const url = await urlOf(proxy);
    await exchange(t, proxy, 2);
    const elsewhere = connect({ port: proxy.port, host: proxy.address, localAddress: '127.0.0.2' });
    // Not once(): that rejects at the reset which it is to get.
    await new Promise((resolve) => elsewhere.on('error', () => undefined).on('close', resolve));
    const of = (name: string): Record<string, string> => ({ router: 'turns', rule: name });
    await scrapedAs(url, [3, 0, 2, 0, 0, 1], ({ value }) => [
      value('edgeproxy_connections_total'),
      value('edgeproxy_connections_active'),
      value('edgeproxy_router_selections_total', of('here')),
      value('edgeproxy_router_errors_total', { ...of('here'), reason: 'no_backend' }),
      value('edgeproxy_router_selections_total', of('elsewhere')),
      value('edgeproxy_router_errors_total', { ...of('elsewhere'), reason: 'no_backend' }),
    ]);
  });

  it('counts on where a worker dies', async (t) => {
    const backend = await startBackend(t, echo);
    const proxy = await startWithMetrics(t, { backends: [{ port: backend.port }], workers: 1 });
    const url = await urlOf(proxy);
    await exchange(t, proxy, 2);
    await scrapedUntil('both are counted', url, ({ value }) => value('edgeproxy_connections_active') === 0);
    const [worker = 0] = proxy.workerPids;
    const next = proxy.log.next(({ msg }) => msg === 'worker takes clients');
    process.kill(worker, 'SIGKILL');
    await next;
    await exchange(t, proxy, 1);
    await scrapedAs(url, [3, 1, 3], ({ value }) => [
      value('edgeproxy_connections_total'),
      value('edgeproxy_worker_restarts_total'),
      value('edgeproxy_backend_connections_total', { backend: 'b0' }),
    ]);
  });

  it('answers GET and HEAD of its path alone, to a bounded number of clients', async (t) => {
    const proxy = await startWithMetrics(t, { workers: 1, env: { EDGEPROXY_METRICS_PATH: '/own/path' } });
    const url = await urlOf(proxy);
    assert.equal(new URL(url).pathname, '/own/path');
    const head = await fetch(url, { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
    assert.ok(Number(head.headers.get('content-length')) > 1000);
    assert.equal((await fetch(`${url}?a=b`)).status, 200);
    assert.equal((await fetch(new URL('/metrics', url))).status, 404);
    const post = await fetch(url, { method: 'POST', body: 'x' });
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD']);
    const { hostname, port } = new URL(url);
    const sockets = Array.from({ length: 40 }, () => connect(Number(port), hostname));
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    let closed = 0;
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.on('close', () => closed++);
    }
    await eventually('all but 16, less those that fetch keeps, are closed', () => closed >= 24);
    for (const socket of sockets) socket.destroy();
    await eventually('there is room again', () =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  });

  it('counts on in the new version at an upgrade, also what the old one counts while it drains', async (t) => {
    const { port } = await startBackend(t, echo);
    const env = { EDGEPROXY_METRICS_LISTEN_ADDR: OWN_ADDRESS };
    const proxy = await startWithMetrics(t, { backends: [{ port }], env });
    const url = await urlOf(proxy);
    await exchange(t, proxy, 2);
    const open = await connectPeer(t, proxy);
    await open.write('x');
    await open.read(1);
    const counts = ({ value }: Scrape): readonly unknown[] => [
      value('edgeproxy_connections_total'),
      value('edgeproxy_connections_ended_total', { reason: 'finished' }),
      value('edgeproxy_backend_connections_total', { backend: 'b0' }),
      value('edgeproxy_bytes_sent_total'),
      value('edgeproxy_connection_bytes', { le: '+Inf' }),
      value('edgeproxy_connection_duration_seconds', { le: '+Inf' }),
      value('edgeproxy_backend_rtt_seconds', { backend: 'b0', le: '+Inf' }),
      value('edgeproxy_route_decision_seconds', { le: '+Inf' }),
    ];
    /** How many connections are open in the version that answers tells which one that is. */
    const until = (what: string, active: number, expected: readonly number[]): Promise<unknown> => {
      const fits = (found: Scrape): boolean =>
        found.value('edgeproxy_connections_active') === active &&
        JSON.stringify(counts(found)) === JSON.stringify(expected);
      return eventually(what, () => scrape(url).then(fits, () => false));
    };
    await until('the old version has counted', 1, [3, 2, 3, 11, 2, 2, 3, 3]);
    await upgrade(proxy);
    await until('the new version has the same', 0, [3, 2, 3, 11, 2, 2, 3, 3]);
    await open.write('hello');
    await open.read(5);
    await open.end();
    await open.readToEnd();
    await until('what the old version has counted since is there', 0, [3, 3, 3, 16, 3, 3, 3, 3]);
    await exchange(t, proxy, 1);
    await until('the new version counts on', 0, [4, 4, 4, 21, 4, 4, 4, 4]);
    await upgrade(proxy);
    await until('so does the next', 0, [4, 4, 4, 21, 4, 4, 4, 4]);
  });

  it('ends the start where its address cannot be had, and is not there unless asked for', async (t) => {
    // Nobody else's, also when this proxy has ended.
    const own = { EDGEPROXY_METRICS_LISTEN_ADDR: OWN_ADDRESS };
    const proxy = await startWithMetrics(t, { env: own });
    const { host } = new URL(await urlOf(proxy));
    const env = { EDGEPROXY_METRICS_ENABLED: 'on', EDGEPROXY_METRICS_LISTEN_ADDR: host };
    const other = await spawnProxy(t, { env });
    assert.deepEqual(await other.exit, { code: 2, signal: null });
    const line = other.log.lines.find(({ level }) => level === 'error');
    assert.deepEqual([line?.['code'], line?.['port']], ['EP_METRICS_LISTEN', Number(host.split(':')[1])]);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    const { port, hostname } = new URL(`http://${host}`);
    const [error] = (await once(connect(Number(port), hostname), 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    const silent = await startProxy(t, { env: { ...env, EDGEPROXY_METRICS_ENABLED: 'off' } });
    assert.equal(
      silent.log.lines.some(({ msg }) => msg === 'metrics are served'),
      false,
    );
  });
});
