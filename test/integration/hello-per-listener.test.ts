/** Which listeners wait for a ClientHello: those whose clients a rule may need it for, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { banner } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { connectPeer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

/** Asks for default.example.test. */
const HELLO = readFileSync(new URL('../fixtures/client-hellos/openssl-default.bin', import.meta.url));

/** A client that waits for its hello_timeout_ms in vain fails the test. */
function listener(name: string): string {
  return `[[listeners]]\nname = "${name}"\nbind = "127.0.0.1:0"\nprotocol = "tcp"\nhello_timeout_ms = 60000\n`;
}

function rule(name: string, matcher: string, { port }: { readonly port: number }): string {
  const backend = `[[rules.backends]]\nid = "b"\naddress = "127.0.0.1:${port}"\n`;
  return `[[rules]]\nname = "${name}"\nprotocol = "tcp"\nrouter = "round_robin"\nmatcher = ${matcher}\n${backend}`;
}

it('a server that speaks first greets at once behind a rule for its port, before one for names', async (t) => {
  const [mail, web] = await Promise.all([startBackend(t, banner('mail')), startBackend(t, banner('web!'))]);
  const file = new ConfigFile(join(await scratchDirectory(t), 'edgeproxy.toml'));
  const listeners = `[logging]\nlevel = "debug"\n${listener('mail')}${listener('web')}`;
  const names = rule('names', '{ type = "sni", pattern = "default.example.test" }', web);
  file.writeText(listeners + names);
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '' };
  const proxy = await startProxy(t, { args: ['--config', file.path], env });
  // The kernel chose the port: the rule is for that one.
  const { port } = proxy.listener('mail');
  const taken = proxy.log.next(({ msg }) => msg === 'every worker chooses by the rules');
  file.writeText(listeners + rule('port', `{ type = "port", port = ${port} }`, mail) + names);
  await reload(proxy, /^configuration reloaded/);
  await taken;
  for (let client = 0; client < 4; client++) {
    const silent = await connectPeer(t, proxy.listener('mail'));
    assert.equal(String(await silent.read(4)), 'mail');
    const tls = await connectPeer(t, proxy.listener('web'));
    await tls.write(HELLO.subarray(0, 100));
    await tls.write(HELLO.subarray(100));
    assert.equal(String(await tls.read(4)), 'web!');
  }
});
