/** Listeners with limits and timeouts of their own, and reloads that change one of them under the others' connections. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { echo } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { upgrade } from '../support/generations.js';
import { connectPeer, endingOfClient, type Peer } from '../support/peer.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const RELOADED = /^configuration reloaded$/;
/** Longer than any test. */
const NEVER_SECS = 600;
/** Short enough to wait for, and far from what a busy machine makes of nothing. */
const SOON_SECS = 0.3;

type Keys = Readonly<Record<string, string | number>>;

/** Each on a loopback address of its own, so that port 0 is another listener's for each. */
function listenersFile(listeners: Readonly<Record<string, Keys>>): string {
  const tables = Object.entries(listeners).map(([name, keys]) => {
    const lines = Object.entries({ name, ...keys }).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    return `[[listeners]]\n${lines.join('')}`;
  });
  return `[server]\ntcp_bind = []\n[logging]\nlevel = "debug"\n${tables.join('')}`;
}

async function start(
  t: TestContext,
  listeners: Readonly<Record<string, Keys>>,
  options: ProxyOptions,
): Promise<{ readonly proxy: ProxyProcess; readonly write: (listeners: Readonly<Record<string, Keys>>) => void }> {
  const { port } = await startBackend(t, echo);
  const file = await ConfigFile.make(t, {});
  file.writeText(listenersFile(listeners));
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '', EDGEPROXY_BINDING_TTL_SECS: '0', ...options.env };
  const proxy = await startProxy(t, { backends: [{ port }], ...options, args: ['--config', file.path], env });
  return { proxy, write: (changed) => file.writeText(listenersFile(changed)) };
}

async function assertEchoes(peer: Peer, text: string): Promise<void> {
  await peer.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

async function echoing(t: TestContext, proxy: ProxyProcess, name: string): Promise<Peer> {
  const peer = await connectPeer(t, proxy.listener(name));
  await assertEchoes(peer, name);
  return peer;
}

describe('docs/listeners.md', TIME_LIMIT, () => {
  it('has an example that starts', async (t) => {
    const [, example = ''] = /```toml\n([^]*?)```/.exec(readFileSync('docs/listeners.md', 'utf8')) ?? [];
    let host = 1;
    const file = await ConfigFile.make(t, {});
    file.writeText(example.replace(/^bind = .*$/gm, () => `bind = "127.0.0.${host++}:0"`));
    const env = { EDGEPROXY_LISTEN_ADDR: '' };
    const proxy = await startProxy(t, { args: ['--config', file.path], env });
    assert.deepEqual(
      proxy.listen.map(({ name }) => name),
      ['web', 'chat', 'admin'],
    );
  });
});

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`listeners with limits of their own, ${accept}`, TIME_LIMIT, () => {
    it('end their connections each in its time, and hold as many as each may', async (t) => {
      const { proxy } = await start(
        t,
        {
          hasty: { bind: '127.0.0.1:0', idle_timeout_secs: SOON_SECS },
          small: { bind: '127.0.0.2:0', max_connections: 2 },
          other: { bind: '127.0.0.3:0', max_connections: 3 },
        },
        { accept },
      );
      const others = [
        await echoing(t, proxy, 'other'),
        await echoing(t, proxy, 'other'),
        await echoing(t, proxy, 'other'),
      ];
      const small = [await echoing(t, proxy, 'small'), await echoing(t, proxy, 'small')];
      const waiting = await connectPeer(t, proxy.listener('small'));
      await waiting.write('next');
      const hasty = await connectPeer(t, proxy.listener('hasty'));
      assert.equal(await hasty.ending(), 'ECONNRESET');
      assert.equal(proxy.counters.ended('idle_timeout'), 1);
      // That took long enough for the one that waits to have been let in.
      await eventually('it is gone', () => proxy.counters.gauges('ACTIVE') === others.length + small.length);
      for (const peer of [...others, ...small]) await assertEchoes(peer, 'still here');
      small[0]?.close();
      assert.equal(String(await waiting.read(4)), 'next');
      assert.deepEqual(
        proxy.listen.map(({ name, protocol, address }) => [name, protocol, address]),
        [
          ['hasty', 'tcp', '127.0.0.1'],
          ['small', 'tcp', '127.0.0.2'],
          ['other', 'tcp', '127.0.0.3'],
        ],
      );
    });

    it('change, come and go by a reload, and it touches nobody else', async (t) => {
      const stays = { bind: '127.0.0.1:0' };
      const changes = { bind: '127.0.0.2:0' };
      const goes = { bind: '127.0.0.3:0', max_lifetime_secs: NEVER_SECS, idle_timeout_secs: NEVER_SECS };
      // What a listener without settings of its own has is soon over, so that who has lost them is seen.
      const env = { EDGEPROXY_IDLE_TIMEOUT_SECS: String(SOON_SECS) };
      const patient = { idle_timeout_secs: NEVER_SECS };
      const { proxy, write } = await start(
        t,
        { stays: { ...stays, ...patient }, changes: { ...changes, ...patient }, goes },
        { accept, env },
      );
      const peers = {
        staying: await echoing(t, proxy, 'stays'),
        changing: await echoing(t, proxy, 'changes'),
        going: await echoing(t, proxy, 'goes'),
      };
      const closed = proxy.log.next(({ msg }) => msg === 'listener closed');
      const port = proxy.listener('goes').port;
      write({
        renamed: { ...stays, ...patient },
        comes: { bind: '127.0.0.4:0', max_connections: 1, max_lifetime_secs: SOON_SECS, ...patient },
        changes: { ...changes, idle_timeout_secs: SOON_SECS },
      });
      await reload(proxy, RELOADED);
      // The new limit is that of connections, too, that were there before.
      assert.equal(await peers.changing.ending(), 'ECONNRESET');
      assert.equal(proxy.counters.ended('idle_timeout'), 1);
      const first = await connectPeer(t, proxy.listener('comes'));
      assert.equal(await first.ending(), 'ECONNRESET');
      assert.equal(proxy.counters.ended('max_lifetime'), 1);
      assert.deepEqual((await closed)['listen'], { name: 'goes', protocol: 'tcp', address: '127.0.0.3', port });
      assert.equal(await endingOfClient(t, { address: '127.0.0.3', port }), 'ECONNREFUSED');
      await assertEchoes(peers.going, 'by a listener that is gone');
      await assertEchoes(peers.staying, 'as if nothing had happened');
      await echoing(t, proxy, 'stays');
    });

    it('let in as many as a reload says from then on', async (t) => {
      const bind = '127.0.0.1:0';
      const { proxy, write } = await start(t, { main: { bind, max_connections: 1 } }, { accept });
      const first = await echoing(t, proxy, 'main');
      const waiting = await connectPeer(t, proxy.listener('main'));
      await waiting.write('in');
      write({ main: { bind, max_connections: 2 } });
      await reload(proxy, RELOADED);
      assert.equal(String(await waiting.read(2)), 'in');
      write({ main: { bind, max_connections: 1 } });
      await reload(proxy, RELOADED);
      // The worker hears of it before it hears the second of these.
      await assertEchoes(first, 'once');
      await assertEchoes(first, 'twice');
      const third = await connectPeer(t, proxy.listener('main'));
      await third.write('last');
      waiting.close();
      await eventually('one has left', () => proxy.counters.gauges('ACTIVE') === 1);
      await assertEchoes(first, 'stays');
      first.close();
      assert.equal(String(await third.read(4)), 'last');
    });

    it('keep their settings and ids through an upgrade', async (t) => {
      const { proxy } = await start(
        t,
        {
          one: { bind: '127.0.0.1:0', idle_timeout_secs: NEVER_SECS },
          two: { bind: '127.0.0.2:0', idle_timeout_secs: SOON_SECS },
          three: { bind: '127.0.0.3:0', max_connections: 1 },
        },
        { accept, env: { EDGEPROXY_SHUTDOWN_TIMEOUT_SECS: String(NEVER_SECS) } },
      );
      const old = await echoing(t, proxy, 'one');
      await upgrade(proxy);
      assert.equal(await (await connectPeer(t, proxy.listener('two'))).ending(), 'ECONNRESET');
      const only = await echoing(t, proxy, 'three');
      const waiting = await connectPeer(t, proxy.listener('three'));
      await waiting.write('turn');
      await assertEchoes(await echoing(t, proxy, 'one'), 'of the new version');
      await assertEchoes(old, 'of the old version');
      only.close();
      assert.equal(String(await waiting.read(4)), 'turn');
      const ready = proxy.log.lines.filter(({ msg }) => msg === 'edgeproxy is ready').map(({ listen }) => listen);
      assert.equal(ready.length, 2);
      assert.deepEqual(ready[1], ready[0]);
    });
  });
}
