/** Whoever came by a listener before a reload removed it is routed as if it were still there. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { banner } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { blackhole } from '../support/dead-ends.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

/** Asks for default.example.test. */
const HELLO = readFileSync(new URL('../fixtures/client-hellos/openssl-default.bin', import.meta.url));

const START = `[logging]\nlevel = "debug"\n${listener('stays', 60_000)}`;

function listener(name: string, connectTimeoutMs: number): string {
  const timeouts = `hello_timeout_ms = 60000\nconnect_timeout_ms = ${connectTimeoutMs}\n`;
  return `[[listeners]]\nname = "${name}"\nbind = "127.0.0.1:0"\nprotocol = "tcp"\n${timeouts}`;
}

function rule(matcher: string, backends: readonly { readonly port: number }[]): string {
  const own = backends.map(({ port }) => `[[rules.backends]]\nid = "b${port}"\naddress = "127.0.0.1:${port}"\n`);
  return `[[rules]]\nname = "r"\nprotocol = "tcp"\nrouter = "round_robin"\nmatcher = ${matcher}\n${own.join('')}`;
}

interface Rig {
  readonly proxy: ProxyProcess;
  readonly file: ConfigFile;
}

async function start(owner: Owner, text: string, accept: 'handoff' | 'reuseport'): Promise<Rig> {
  const file = new ConfigFile(join(await scratchDirectory(owner), 'edgeproxy.toml'));
  file.writeText(text);
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '' };
  return { proxy: await startProxy(owner, { args: ['--config', file.path], env, accept }), file };
}

async function removeListener({ proxy, file }: Rig, rules: string): Promise<void> {
  const closed = proxy.log.next(({ msg }) => msg === 'listener closed');
  file.writeText(START + rules);
  await reload(proxy, /^configuration reloaded/);
  await closed;
}

/** Not ACTIVE: the acceptor counts whom it has only sent on. */
async function atWorkers({ proxy }: Rig, clients: number): Promise<void> {
  await eventually('the clients are at a worker', () => proxy.counters.gauges('RELAYS_OPEN') === clients);
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`clients of a listener that was removed, ${accept}`, { timeout: 300_000 }, () => {
    it('get their backend when the rest of their ClientHello comes', async (t) => {
      const names = rule('{ type = "sni", pattern = "default.example.test" }', [await startBackend(t, banner('web!'))]);
      const rig = await start(t, START + listener('goes', 60_000) + names, accept);
      const client = await connectPeer(t, rig.proxy.listener('goes'));
      await atWorkers(rig, 1);
      await client.write(HELLO.subarray(0, 100));
      await removeListener(rig, names);
      await client.write(HELLO.subarray(100));
      assert.equal(String(await client.read(4)), 'web!');
    });

    it('get another backend of the rule for its port when the first one does not answer', async (t) => {
      const backends = [await blackhole(t), await startBackend(t, banner('web!'))];
      const listeners = START + listener('goes', 4000);
      const rig = await start(t, listeners, accept);
      const { proxy, file } = rig;
      const port = rule(`{ type = "port", port = ${proxy.listener('goes').port} }`, backends);
      const taken = proxy.log.next(({ msg }) => msg === 'every worker chooses by the rules');
      file.writeText(listeners + port);
      await reload(proxy, /^configuration reloaded/);
      await taken;
      // In turn: one of them meets the backend that does not answer.
      const clients = await Promise.all([0, 1].map(() => connectPeer(t, proxy.listener('goes'))));
      await atWorkers(rig, 2);
      await removeListener(rig, port);
      for (const client of clients) assert.equal(String(await client.read(4)), 'web!');
    });
  });
}
