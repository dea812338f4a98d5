import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ConnectTimes } from '../../src/domain/shared/connect-times.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend, type TcpBackend } from '../support/tcp-backend.js';
import { countOf, visit, visitTogether } from '../support/visit.js';

const IDS = ['a', 'b', 'c'];

/** Backends a, b and c, each of which says its id, behind a proxy of two workers whose only rule has that router. */
async function routed(
  t: TestContext,
  router: string,
  { weights = [1, 1, 1], accept = 'handoff' }: { weights?: readonly number[]; accept?: 'handoff' | 'reuseport' } = {},
): Promise<{ proxy: ProxyProcess; backends: readonly TcpBackend[] }> {
  const says = (id: string): Promise<TcpBackend> => startBackend(t, ({ socket }) => void socket.resume().end(id));
  const backends = await Promise.all(IDS.map(says));
  const file = join(await scratchDirectory(t), 'edgeproxy.toml');
  const inline = backends.map(
    ({ address, port }, index) =>
      `[[rules.backends]]\nid = "${IDS[index] ?? ''}"\naddress = "${address}:${port}"\nweight = ${weights[index] ?? 1}`,
  );
  const rule = '[[rules]]\nname = "all"\nrouter = "mine"\nmatcher = { type = "port_range", start = 1, end = 65535 }';
  await writeFile(file, [`[routers.mine]\n${router}`, rule, ...inline, ''].join('\n\n'));
  return { proxy: await startProxy(t, { args: ['--config', file], workers: 2, accept }), backends };
}

/** What that many clients at once are told, sorted. */
async function answers(t: TestContext, proxy: ProxyProcess, clients: number): Promise<string[]> {
  return (await Promise.all(visitTogether(t, proxy, clients))).sort();
}

describe('routers of rules', { timeout: 300_000 }, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`round_robin gives exact turns over two workers (${accept})`, async (t) => {
      const { proxy } = await routed(t, 'plugin = "round_robin"', { accept, weights: [5, 1, 1] });
      const said = await answers(t, proxy, 90);
      assert.deepEqual(
        IDS.map((id) => countOf(said, id)),
        [30, 30, 30],
      );
    });
  }

  it('weighted gives exact shares over two workers, in the smooth order', async (t) => {
    const { proxy } = await routed(t, 'plugin = "weighted"', { weights: [3, 1, 1] });
    let order = '';
    for (let client = 0; client < 10; client++) order += await visit(t, proxy);
    assert.equal(order, 'abacaabaca');
    const said = await answers(t, proxy, 50);
    assert.deepEqual(
      IDS.map((id) => countOf(said, id)),
      [30, 10, 10],
    );
  });

  it('hash sends one client to one backend, in every worker and after a restart', async (t) => {
    const { proxy } = await routed(t, 'plugin = "hash"');
    const said = new Set(await answers(t, proxy, 20));
    assert.equal(said.size, 1);
    const { proxy: other } = await routed(t, 'plugin = "hash"');
    assert.deepEqual(new Set(await answers(t, other, 20)), said);
  });

  it('hash by port spreads the connections of one client', async (t) => {
    const { proxy } = await routed(t, 'plugin = "hash"\nconfig = { hash_key = "client_port" }');
    assert.deepEqual([...new Set(await answers(t, proxy, 60))], IDS);
  });

  it('random reaches every backend', async (t) => {
    const { proxy } = await routed(t, 'plugin = "random"');
    assert.deepEqual([...new Set(await answers(t, proxy, 60))], IDS);
  });

  it('affinity brings a client back with any router, and geo forgets it without', async (t) => {
    const { proxy } = await routed(t, 'plugin = "round_robin"\nconfig = { affinity = true }');
    const first = await visit(t, proxy);
    assert.deepEqual(new Set(await answers(t, proxy, 12)), new Set([first]));
    const { proxy: other } = await routed(t, 'plugin = "geo"\nconfig = { affinity = false }');
    assert.deepEqual([...new Set(await answers(t, other, 60))], IDS);
  });

  it('latency reaches backends whose connect times the workers have measured', async (t) => {
    const { proxy } = await routed(t, 'plugin = "latency"\nconfig = { affinity = false }');
    const times = new ConnectTimes(proxy.counters.region);
    // One that was never measured gets a client now and then: whoever knows the odds of that knows how many it takes.
    while (![0, 1, 2].every((slot) => times.of(slot) > 0)) {
      const said = await answers(t, proxy, 10);
      assert.ok(
        said.every((answer) => IDS.includes(answer)),
        said.join(' '),
      );
    }
  });

  it('a retry goes to another backend', async (t) => {
    for (const plugin of ['weighted', 'least_connections', 'hash']) {
      const { proxy, backends } = await routed(t, `plugin = "${plugin}"`);
      await backends[0]?.stopListening();
      const said = await answers(t, proxy, 12);
      assert.ok(
        said.every((answer) => answer === 'b' || answer === 'c'),
        `${plugin}: ${said.join(' ')}`,
      );
    }
  });
});
