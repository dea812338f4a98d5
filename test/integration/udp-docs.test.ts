/** The example of docs/udp.md, as it stands there but for the ports. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { edgeproxy } from '../support/edgeproxy-command.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { outputOf, program, startProgram } from '../support/program.js';
import { startProxy } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';

const PAGE = readFileSync(new URL('../../docs/udp.md', import.meta.url), 'utf8');

function example(language: string): string {
  const text = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(PAGE)?.[1];
  assert.ok(text, `docs/udp.md has an example in ${language}`);
  return text;
}

it('the example of docs/udp.md works', { timeout: 300_000 }, async (t) => {
  const directory = await scratchDirectory(t);
  const [dns, udp] = [await freePort(t), await freePort(t)].map(String);
  assert.ok(dns && udp);
  const withPorts = (text: string): string => text.replace('8080', '0').replace('5300', dns).replace('5353', udp);
  const [add, start, ask] = withPorts(example('sh')).trim().split('\n');
  assert.ok(add && start && ask);
  startProgram(t, program('dnsmasq', 'dnsmasq-base'), [
    ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=', '--group='],
    ...['--listen-address=127.0.0.1', '--bind-interfaces', `--port=${dns}`, '--address=/example.test/192.0.2.7'],
  ]);
  const databasePath = join(directory, 'routing.db');
  const added = edgeproxy(add.split(' ').slice(1), { EDGEPROXY_DB_PATH: databasePath });
  assert.equal(added.status, 0, added.stderr);
  const [, , flag, file] = start.split(' ');
  assert.deepEqual([flag, file], ['--config', 'udp.toml']);
  const path = join(directory, 'udp.toml');
  writeFileSync(path, withPorts(example('toml')));
  const env = { EDGEPROXY_LISTEN_ADDR: '' };
  const proxy = await startProxy(t, { databasePath, env, args: ['--config', path] });
  assert.equal(String(proxy.listen[1]?.port), udp);
  const [, ...question] = ask.split(' ');
  const dig = program('dig', 'bind9-dnsutils');
  const answer = await eventually('dnsmasq answers', () =>
    outputOf(dig, ['+tries=1', '+time=2', ...question]).catch(() => undefined),
  );
  assert.equal(answer.trim(), '192.0.2.7');
});
