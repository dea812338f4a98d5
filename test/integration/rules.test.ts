/** Rules of a configuration file, in a real proxy: who gets which backend, and what a reload does to those who come meanwhile. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { echo, nameAndEnd } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { ConnectionLoad } from '../support/connection-load.js';
import { eventually } from '../support/eventually.js';
import { upgrade } from '../support/generations.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { startBackend, type TcpBackend } from '../support/tcp-backend.js';
import { countOf, visitInTurn } from '../support/visit.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded/;
const BASE = `[server]\ntcp_bind = ["127.0.0.1:0", "127.0.0.1:0"]\n[logging]\nlevel = "debug"\n`;

interface Rig {
  readonly proxy: ProxyProcess;
  readonly file: ConfigFile;
}

/** With one backend in the routing database, `db`. */
async function start(owner: Owner, rules: string, options: ProxyOptions = {}): Promise<Rig> {
  const { port } = await startBackend(owner, nameAndEnd('db'));
  const file = new ConfigFile(join(await scratchDirectory(owner), 'edgeproxy.toml'));
  file.writeText(BASE + rules);
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '', ...options.env };
  const args = ['--config', file.path];
  const proxy = await startProxy(owner, { backends: [{ port, app: 'shop' }], ...options, args, env });
  return { proxy, file };
}

async function named(owner: Owner, ...names: string[]): Promise<TcpBackend[]> {
  return Promise.all(names.map((name) => startBackend(owner, nameAndEnd(name))));
}

function rule(name: string, keys: string, matcher: string, backends: readonly { readonly port: number }[]): string {
  const own = backends.map(({ port }, index) => {
    return `[[rules.backends]]\nid = "b${index}"\naddress = "127.0.0.1:${port}"\n`;
  });
  const asked = matcher === '' ? '' : `[rules.matcher]\n${matcher}\n`;
  return `[[rules]]\nname = "${name}"\n${keys}\n${asked}${own.join('')}`;
}

async function apply({ proxy, file }: Rig, rules: string): Promise<void> {
  const taken = proxy.log.next(({ msg }) => msg === 'every worker chooses by the rules');
  file.writeText(BASE + rules);
  await reload(proxy, RELOADED);
  await taken;
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`rules, ${accept}`, TIME_LIMIT, () => {
    it('are in force in a new version before its first client comes', async (t) => {
      const own = await named(t, 'web');
      const rig = await start(t, '', { accept });
      const [, second] = rig.proxy.listen;
      assert.ok(second !== undefined);
      await apply(rig, rule('web', 'protocol = "tcp"\nrouter = "geo"', `type = "port"\nport = ${second.port}`, own));
      const answers: string[] = [];
      let isUpgraded = false;
      const upgraded = upgrade(rig.proxy).finally(() => (isUpgraded = true));
      while (!isUpgraded) answers.push(...(await visitInTurn(t, second, 5)));
      await upgraded;
      answers.push(...(await visitInTurn(t, second, 20)));
      assert.deepEqual(new Set(answers), new Set(['web']));
    });

    it('give a port its own backends in turn over all workers, and leave the other port to the database', async (t) => {
      const own = await named(t, 'a', 'b', 'c');
      const rig = await start(t, '', { accept });
      const [first, second] = rig.proxy.listen;
      assert.ok(first !== undefined && second !== undefined);
      const matcher = `type = "port"\nport = ${second.port}`;
      await apply(rig, rule('web', 'protocol = "tcp"\nrouter = "round_robin"', matcher, own));
      const answers = await visitInTurn(t, second, 30);
      assert.deepEqual(
        ['a', 'b', 'c'].map((name) => countOf(answers, name)),
        [10, 10, 10],
      );
      assert.deepEqual(new Set(await visitInTurn(t, first, 6)), new Set(['db']));
      await apply(rig, '');
      assert.deepEqual(new Set(await visitInTurn(t, second, 6)), new Set(['db']));
    });
  });
}

describe('rules', TIME_LIMIT, () => {
  it('are asked in their order from the start on, by the address of the client', async (t) => {
    const [a, b] = await named(t, 'a', 'b');
    assert.ok(a !== undefined && b !== undefined);
    const { proxy } = await start(
      t,
      rule('no', 'protocol = "tcp"', 'type = "source_ip"\ncidrs = ["127.1.0.0/16", "::/0"]', [a]) +
        rule('off', 'enabled = false', '', [a]) +
        rule('udp', 'protocol = "udp"', '', [a]) +
        rule('yes', 'protocol = "both"', 'type = "source_ip"\ncidr = "127.0.0.0/8"', [b]) +
        rule('all', 'protocol = "tcp"', '', [a]),
    );
    assert.deepEqual(new Set(await visitInTurn(t, proxy, 6)), new Set(['b']));
  });

  it('choose from an app of the routing database', async (t) => {
    const [other] = await named(t, 'other');
    const [shop] = await named(t, 'shop');
    assert.ok(other !== undefined && shop !== undefined);
    const backends = [
      { port: other.port, app: 'other' },
      { port: shop.port, app: 'shop' },
    ];
    const rig = await start(t, '', { backends });
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 1)), new Set([(await visitInTurn(t, rig.proxy, 1))[0]]));
    await apply(rig, '[[rules]]\nname = "shop"\nprotocol = "tcp"\napp = "shop"\nrouter = "round_robin"\n');
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 8)), new Set(['shop']));
  });

  it('change under load without one client refused or sent to a backend that is gone', async (t) => {
    const [a, b] = await Promise.all([startBackend(t, echo), startBackend(t, echo)]);
    const sides = [a, b].map((backend, index) => rule(`r${index}`, 'protocol = "tcp"', '', [backend]));
    const rig = await start(t, sides[0] ?? '');
    const load = new ConnectionLoad(t, rig.proxy.port, { lanes: 8 });
    await load.answered(50);
    for (let turn = 1; turn <= 6; turn++) {
      await apply(rig, sides[turn % 2] ?? '');
      await load.answered(load.report.answered + 50);
    }
    const peers = a.peers.length;
    await apply(rig, sides[1] ?? '');
    await load.answered(load.report.answered + 50);
    // Those on their way when the rules changed are there by now.
    const settled = a.peers.length;
    await load.answered(load.report.answered + 50);
    assert.equal(a.peers.length, settled, `of ${peers}: the old rule's backend still gets clients`);
    assert.deepEqual((await load.stop()).failed, {});
  });

  it('are settled although workers die while they change, and hold for those that come after them', async (t) => {
    const [a, b] = await named(t, 'a', 'b');
    assert.ok(a !== undefined && b !== undefined);
    const sides = [a, b].map((backend, index) => rule(`r${index}`, 'protocol = "tcp"', '', [backend]));
    const rig = await start(t, sides[0] ?? '');
    for (let turn = 1; turn <= 3; turn++) {
      const taken = rig.proxy.log.next(({ msg }) => msg === 'every worker chooses by the rules');
      const successor = rig.proxy.log.next(({ msg }) => msg === 'worker takes clients');
      rig.file.writeText(BASE + (sides[turn % 2] ?? ''));
      rig.proxy.signal('SIGHUP');
      process.kill(rig.proxy.workerPids[turn % 2] ?? 0, 'SIGKILL');
      await taken;
      await successor;
      const answers = await visitInTurn(t, rig.proxy, 8);
      assert.equal(countOf(answers, ['a', 'b'][turn % 2] ?? ''), 8, answers.join());
    }
  });

  it('keep their backends apart from those of the database in every reload of it', async (t) => {
    const [a] = await named(t, 'a');
    assert.ok(a !== undefined);
    const rig = await start(t, rule('web', 'protocol = "tcp"', '', [a]), { backends: [] });
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['a']));
    await apply(rig, rule('none', 'protocol = "udp"', '', [a]));
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['ECONNRESET']));
  });
});

describe('custom rules', TIME_LIMIT, () => {
  async function matcherFile(t: Owner, text: string): Promise<string> {
    const path = join(await scratchDirectory(t), 'match.mjs');
    writeFileSync(path, text);
    return path;
  }

  const custom = (file: string, config = '{}'): string => `type = "custom"\nfile = "${file}"\nconfig = ${config}`;

  it('ask a function about each client, from the first one on, also those of a successor', async (t) => {
    const [a] = await named(t, 'a');
    assert.ok(a !== undefined);
    const file = await matcherFile(
      t,
      `export default ({ address, listener }) => (client) =>
        client.address === address && client.listener.startsWith(listener) && client.protocol === 'tcp' &&
        client.port > 0 && client.destination === address && !client.isTls && client.serverName === '' &&
        client.alpn.length === 0;`,
    );
    const rules = (address: string): string =>
      rule('mine', 'protocol = "tcp"', custom(file, `{ address = "${address}", listener = "tcp 127" }`), [a]);
    const rig = await start(t, rules('127.0.0.1'), { workers: 1 });
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['a']));
    const successor = rig.proxy.log.next(({ msg }) => msg === 'worker takes clients');
    process.kill(rig.proxy.workerPids[0] ?? 0, 'SIGKILL');
    await successor;
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['a']));
    await apply(rig, rules('127.0.0.2'));
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['db']));
  });

  it('take another function where the file has changed', async (t) => {
    const [a] = await named(t, 'a');
    assert.ok(a !== undefined);
    const file = await matcherFile(t, 'export default () => () => true;');
    const rules = rule('mine', 'protocol = "tcp"', custom(file), [a]);
    const rig = await start(t, rules);
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['a']));
    writeFileSync(file, 'export default () => () => false;');
    await apply(rig, rules);
    assert.deepEqual(new Set(await visitInTurn(t, rig.proxy, 4)), new Set(['db']));
  });

  it('match nobody where the function throws, which is logged, not often', async (t) => {
    const [a] = await named(t, 'a');
    assert.ok(a !== undefined);
    const file = await matcherFile(t, 'export default () => () => { throw new Error("no idea"); };');
    const { proxy } = await start(t, rule('mine', 'protocol = "tcp"', custom(file), [a]));
    assert.deepEqual(new Set(await visitInTurn(t, proxy, 20)), new Set(['db']));
    const fails = ({ msg }: { readonly msg?: unknown }): boolean =>
      /^custom rule: its function fails/.test(String(msg));
    const line = await proxy.waitForLog(fails);
    assert.deepEqual([line['rule'], line['reason'], line['level']], ['mine', 'no idea', 'warn']);
    await eventually('all clients were counted', () => proxy.counters.total('ACCEPTED') >= 20);
    assert.equal(proxy.log.lines.filter(fails).length, 1);
  });
});
