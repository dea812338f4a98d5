/** `edgeproxy status` and `edgeproxy top` beside a running proxy, the latter in a terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startWithApi, type AdminApi } from '../support/admin-api.js';
import { echo } from '../support/backend-behaviours.js';
import { MAIN, type Ended } from '../support/edgeproxy-command.js';
import { eventually, within } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { connectPeer } from '../support/peer.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { suiteOwner } from '../support/suite-owner.js';
import { startBackend } from '../support/tcp-backend.js';
import { Terminal, type TerminalSize } from '../support/terminal.js';

const TIME_LIMIT = { timeout: 120_000 };
const SIZE: TerminalSize = { rows: 24, columns: 100 };
const SIGNAL = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, TERM: 15 } as const;
const TOKEN = 'a-token-of-the-test';
/** An id that would clear the screen, ring and write from right to left. */
const HOSTILE = 'evil\x1b[2J\x07\u202e\x9b31m';

/** Not spawnSync: servers of this process have to answer. */
async function run(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const env = { PATH: process.env['PATH'], ...variables };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status] = (await within('the command ends', once(child, 'close'))) as [number | null];
  return { status, stdout, stderr };
}

function top(owner: Owner, api: string, variables: Readonly<Record<string, string>> = {}, size = SIZE): Terminal {
  const env = { PATH: process.env['PATH'], TERM: 'xterm', ...variables };
  return new Terminal(owner, [process.execPath, MAIN, 'top', '--api', api, '--interval', '0.2'], size, env);
}

/** An API of another kind. */
async function stranger(owner: Owner, status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status, { location: '/else' }).end(body));
  return listening(owner, server);
}

async function listening(owner: Owner, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What `api` answers, but for the id of b1. Its URL. */
async function hostile(owner: Owner, api: AdminApi): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const { authorization = '' } = request.headers;
      const answer = await fetch(api.url + (request.url ?? ''), { headers: { authorization } });
      response.writeHead(answer.status).end((await answer.text()).replaceAll('"b1"', JSON.stringify(HOSTILE)));
    })();
  });
  return listening(owner, server);
}

interface World {
  readonly proxy: ProxyProcess;
  readonly api: AdminApi;
  readonly url: string;
}

async function startWorld(owner: Owner): Promise<World> {
  const { port } = await startBackend(owner, echo);
  const backends = [{ port }, { port, weight: 0 }];
  const world = await startWithApi(owner, { backends, env: { EDGEPROXY_API_TOKEN: TOKEN } });
  const peer = await connectPeer(owner, world.proxy);
  await peer.write('ping');
  await peer.read(4);
  return { ...world, url: await hostile(owner, world.api) };
}

describe('edgeproxy status and top', TIME_LIMIT, () => {
  const owner = suiteOwner();
  const started = startWorld(owner);
  const withToken = { EDGEPROXY_API_TOKEN: TOKEN };

  it('status prints tables, and cleans what it is told', async () => {
    const { url, proxy } = await started;
    const { status, stdout, stderr } = await run(['status', '--api', url], withToken);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.match(stdout, /^edgeproxy \S+ on \S+ \(\S*\), up /);
    assert.match(stdout, new RegExp(`^listeners +tcp 127\\.0\\.0\\.1:${proxy.port}$`, 'm'));
    assert.match(stdout, /^connections +1 active, 1 in all$/m);
    assert.match(stdout, /^ +0 +\d+ +ready +\d +\d+ +0$/m);
    assert.match(stdout, /^b0 +test +sa +127\.0\.0\.1:\d+ +enabled +1 +1 +0 /m);
    assert.match(stdout, /^evil\?\[2J\?\?\?31m +test +sa +127\.0\.0\.1:\d+ +weight 0 /m);
    assert.doesNotMatch(stdout, /[^\x20-\x7e\n]/);
  });

  it('status --json prints what the API says, for programs', async () => {
    const { url } = await started;
    const { status, stdout } = await run(['status', '--json', '--api', url], withToken);
    assert.equal(status, 0);
    assert.doesNotMatch(stdout, /[^\x20-\x7e\n]/);
    const answer = JSON.parse(stdout) as {
      stats: { connections: object };
      workers: object[];
      backends: { id: string }[];
    };
    assert.ok('ended' in answer.stats.connections);
    assert.equal(answer.workers.length, 2);
    assert.deepEqual(answer.backends.map(({ id }) => id).sort(), ['b0', HOSTILE]);
  });

  it('find the API and the token where they are said to be', async (t) => {
    const { api } = await started;
    const file = join(await scratchDirectory(t), 'token');
    writeFileSync(file, `${TOKEN}\n`);
    const listen = { EDGEPROXY_API_LISTEN_ADDR: api.url.replace('http://127.0.0.1', '0.0.0.0') };
    assert.equal((await run(['status', '--token-file', file], listen)).status, 0);
    const wrong = await run(['status'], { ...listen, EDGEPROXY_API_TOKEN: 'another' });
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /^error: The admin API at \S+ does not take this token; .* \(EP_API_DENIED\)\n$/);
    const none = await run(['status'], listen);
    assert.match(none.stderr, /wants a token/);
    assert.doesNotMatch(wrong.stderr + none.stderr, /another/);
  });

  it('say what is wrong', async (t) => {
    const nobody = `http://127.0.0.1:${await freePort(t)}`;
    const unreachable = await run(['status', '--api', nobody]);
    assert.equal(unreachable.status, 1);
    assert.match(unreachable.stderr, /cannot be reached: nobody listens there; .* \(EP_API_UNREACHABLE\)\n$/);
    for (const [code, body] of [
      [200, '<html>'],
      [200, '{}'],
      [302, ''],
      [500, '{"error":{"message":"\x1b[2J"}}'],
    ] as const) {
      const { status, stderr } = await run(['status', '--api', await stranger(t, code, body)]);
      assert.equal(status, 1);
      assert.match(stderr, /\(EP_API_ANSWER\)\n$/);
      assert.doesNotMatch(stderr, /[^\x20-\x7e\n]/);
    }
    const usage: readonly (readonly string[])[] = [
      ['status', '--api', 'nonsense'],
      ['status', '--api', 'ftp://127.0.0.1'],
      ['status', '--token-file', '/nowhere'],
      ['status', '--token', 'x'],
      ['top', '--interval', '0'],
      ['top', '--interval', 'soon'],
    ];
    for (const args of usage) assert.equal((await run(args)).status, 2, args.join(' '));
    const secret = await run(['status', '--api', 'http://me:secret@127.0.0.1']);
    assert.equal(secret.status, 2);
    assert.doesNotMatch(secret.stderr, /secret/);
    const piped = await run(['top', '--api', nobody]);
    assert.equal(piped.status, 2);
    assert.match(piped.stderr, /^error: top needs a terminal .*`edgeproxy status`/);
  });

  it('top shows backends, connections and workers, sorts them, fits every size, and leaves no trace', async (t) => {
    const { url } = await started;
    const terminal = top(t, url, withToken);
    await terminal.shows(/connections 1 .*\n.*\n\nBACKEND .*ACTIVE↓.*\nb0 /);
    assert.ok(terminal.screen.isAlternate && !terminal.screen.isCursorShown);
    await terminal.shows(/\nevil\?\[2J/);
    terminal.press('r');
    await terminal.shows(/ACTIVE↑.*\nevil.*\nb0 /);
    terminal.press('c');
    await terminal.shows(new RegExp(`CLIENT .*SENT/S↓.*\\n127\\.0\\.0\\.1:\\d+ +tcp 127\\.0\\.0\\.1:0 +b0 +relaying`));
    terminal.press('w');
    await terminal.shows(/WORKER↓ .*\n +0 +\d+ +ready .*\n +1 /);
    for (const size of [
      { rows: 8, columns: 40 },
      { rows: 1, columns: 5 },
      { rows: 3, columns: 20 },
      { rows: 40, columns: 200 },
    ])
      terminal.resize(size);
    await terminal.shows(/q quit .* j\/k scroll$/);
    const before = terminal.output.length;
    await eventually('there is another picture', () => terminal.output.length > before);
    terminal.press('jjjkq');
    assert.deepEqual(await terminal.ended(), { code: 0, isSame: true });
    assert.deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorShown], [false, true]);
  });

  for (const [name, number] of Object.entries(SIGNAL)) {
    if (name === 'KILL') continue;
    it(`top gives the terminal back at SIG${name}`, async (t) => {
      const { api } = await started;
      const terminal = top(t, api.url, withToken);
      await terminal.shows(/q quit/);
      terminal.signal(number);
      assert.deepEqual(await terminal.ended(), { signal: number, isSame: true });
      assert.deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorShown], [false, true]);
    });
  }

  it('top touches no terminal where the API cannot be asked', async (t) => {
    const terminal = top(t, `http://127.0.0.1:${await freePort(t)}`);
    assert.deepEqual(await terminal.ended(), { code: 1, isSame: true });
    assert.match(terminal.output, /EP_API_UNREACHABLE/);
    assert.doesNotMatch(terminal.output, /\x1b/);
  });

  it('top goes on while the API is away, and says so, in colour unless NO_COLOR says otherwise', async (t) => {
    for (const noColour of ['', '1']) {
      const { port } = await startBackend(t, echo);
      const { proxy, api } = await startWithApi(t, { backends: [{ port }] });
      const terminal = top(t, api.url, { NO_COLOR: noColour });
      await terminal.shows(/\nb0 /);
      await proxy.kill();
      await terminal.shows(/cannot be reached[^]*\nb0 /);
      assert.equal(terminal.screen.styles.has('31'), noColour === '');
      terminal.press('\x03');
      assert.deepEqual(await terminal.ended(), { code: 0, isSame: true });
    }
  });
});
