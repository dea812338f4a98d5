/** A reload whose rules cannot be had for the moment changes nothing, so that the same one succeeds later. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { MAX_RULES } from '../../src/domain/rules/compile-rules.js';
import { nameAndEnd } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { freePort } from '../support/free-port.js';
import { pause, resume } from '../support/paused-process.js';
import { endingOfClient } from '../support/peer.js';
import { childPids } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import { reload } from '../support/routing-edits.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';
import { visitInTurn } from '../support/visit.js';

const RELOADED = /^configuration reloaded$/;
const REFUSED = /^the configuration is wrong; the old one stays in force$/;

/** As many as there may be, each with an app of its own: two numbers for each. */
function mostRules(turn: string): string {
  return Array.from({ length: MAX_RULES }, (_, index) => {
    const own = `${turn}-${index}`;
    const matcher = `[rules.matcher]\ntype = "port"\nport = 1\n`;
    return `[[rules]]\nname = "${own}"\nprotocol = "tcp"\nrouter = "geo"\napp = "${own}"\n${matcher}`;
  }).join('');
}

function textOf(ports: readonly number[], rules: string): string {
  const addresses = JSON.stringify(ports.map((port) => `127.0.0.1:${port}`));
  return `[server]\ntcp_bind = ${addresses}\n[logging]\nlevel = "debug"\n[overload]\nwatchdog_secs = 0\nlag_ms = 0\n${rules}`;
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`rules that are too many beside those that a standing worker has, ${accept}`, { timeout: 300_000 }, () => {
    it('are refused with their listener, and taken with it once the worker goes on', async (t) => {
      const { port } = await startBackend(t, nameAndEnd('db'));
      const [stays, goes, comes] = [await freePort(t), await freePort(t), await freePort(t)];
      const file = new ConfigFile(join(await scratchDirectory(t), 'edgeproxy.toml'));
      file.writeText(textOf([stays, goes], mostRules('a')));
      const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '' };
      const proxy = await startProxy(t, {
        accept,
        workers: 1,
        backends: [{ port }],
        args: ['--config', file.path],
        env,
      });
      const [worker] = childPids(proxy.pid);
      assert.ok(worker !== undefined);
      await pause(t, worker);
      file.writeText(textOf([stays, goes], mostRules('b')));
      await reload(proxy, RELOADED);
      file.writeText(textOf([stays, comes], mostRules('c')));
      await reload(proxy, REFUSED);
      assert.equal(await endingOfClient(t, { address: '127.0.0.1', port: comes }), 'ECONNREFUSED');
      const taken = proxy.log.next(({ msg }) => msg === 'every worker chooses by the rules');
      resume(worker);
      await taken;
      assert.deepEqual(await visitInTurn(t, { address: '127.0.0.1', port: goes }, 2), ['db', 'db']);
      await reload(proxy, RELOADED);
      assert.deepEqual(await visitInTurn(t, { address: '127.0.0.1', port: comes }, 2), ['db', 'db']);
    });
  });
}
