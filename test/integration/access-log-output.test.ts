/** Where the lines of the access log go: files that rotate, reloads, upgrades, and outputs that take nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { END_REASONS } from '../../src/domain/shared/layout.js';
import { AccessLogFile, type AccessLine } from '../support/access-log.js';
import { nameAndEnd } from '../support/backend-behaviours.js';
import { startConfigured } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { spawnProxy, startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { scratchDirectory } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';
import { udpPeer } from '../support/udp-peer.js';
import { startUdpProxy } from '../support/udp-proxy.js';

const TIME_LIMIT = { timeout: 240_000 };
const TABLES = { server: { tcp_bind: '127.0.0.1:0' }, logging: { level: 'debug' } };

/** Returns the client's port. */
async function visit(t: TestContext, proxy: { readonly port: number; readonly address: string }): Promise<number> {
  const client = await connectPeer(t, proxy);
  const port = client.localPort;
  assert.equal(String(await client.readToEnd()), 'hello');
  await client.end();
  return port;
}

async function options(t: TestContext): Promise<ProxyOptions> {
  const backend = await startBackend(t, nameAndEnd('hello'));
  return { backends: [{ port: backend.port }] };
}

async function reload(proxy: ProxyProcess): Promise<void> {
  const count = (): number =>
    proxy.log.lines.filter(({ msg }) => String(msg).startsWith('configuration reloaded')).length;
  const before = count();
  proxy.signal('SIGHUP');
  await eventually('the configuration is reloaded', () => count() > before);
}

/** What is in a pipe that does not block. */
function readAvailable(fd: number): string {
  const bytes = Buffer.alloc(65_536);
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

describe('the access log', TIME_LIMIT, () => {
  it('is switched on, moved, given another form and switched off by reloads', async (t) => {
    const directory = await scratchDirectory(t);
    const [first, second] = ['a.log', 'b.log'].map((name) => new AccessLogFile(join(directory, name)));
    assert.ok(first && second);
    const { proxy, file } = await startConfigured(t, TABLES, await options(t));
    const silent = await visit(t, proxy);
    const use = async (keys: Readonly<Record<string, string>>): Promise<void> => {
      file.write({ ...TABLES, access_log: keys });
      await reload(proxy);
    };
    await use({ output: first.path });
    const port = await visit(t, proxy);
    assert.equal((await first.of(port))['end'], 'backend_closed');
    assert.ok(!first.lines.some(({ clientPort }) => clientPort === silent));

    await use({ output: second.path, format: 'combined' });
    // What comes in the first tenth of a second may still be told in the old place.
    const text = await eventually('a line in the other file', async () => {
      await visit(t, proxy);
      return second.texts[0];
    });
    assert.match(
      text,
      /^127\.0\.0\.1:\d+ - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d\.\d{3} \+0000\] tcp "tcp 127\.0\.0\.1:0" "-" "-" "b0" backend_closed - 0 5 - - [\d.]+ [\d.]+ [\d.]+ 0$/,
    );
    await use({ output: 'off' });
    const untold = await visit(t, proxy);
    await use({ output: second.path, format: 'combined' });
    const again = await visit(t, proxy);
    await eventually('a line after it was off', () => second.texts.find((line) => line.includes(`:${again} `)));
    assert.ok(!second.texts.some((line) => line.includes(`:${untold} `)));

    file.write({ ...TABLES, access_log: { output: join(directory, 'none', 'a.log') } });
    proxy.signal('SIGHUP');
    await proxy.waitForLog(({ msg }) => String(msg).startsWith('The log file cannot be opened: ENOENT'));
    const last = await visit(t, proxy);
    await eventually('the old one stays in force', () => second.texts.find((line) => line.includes(`:${last} `)));
  });

  it('goes on in a new file on SIGHUP, rotates by size, and belongs to both versions during an upgrade', async (t) => {
    const log = new AccessLogFile(join(await scratchDirectory(t), 'access.log'));
    const env = { EDGEPROXY_ACCESS_LOG: log.path, EDGEPROXY_ACCESS_LOG_MAX_SIZE: '1' };
    const proxy = await startProxy(t, { ...(await options(t)), env });
    await log.of(await visit(t, proxy));
    renameSync(log.path, `${log.path}-today`);
    await reload(proxy);
    const port = await visit(t, proxy);
    await log.of(port);
    assert.equal(new AccessLogFile(`${log.path}-today`).texts.length, 1);

    // As full as it may be.
    const filler = `${JSON.stringify({ filler: 'x'.repeat(999_800) })}\n`;
    writeFileSync(log.path, filler, { flag: 'a' });
    const next = await visit(t, proxy);
    await log.of(next);
    assert.equal(log.texts.length, 1);
    assert.equal(new AccessLogFile(`${log.path}.1`).texts.length, 2);

    const held = await connectPeer(t, proxy);
    const heldPort = held.localPort;
    proxy.signal('SIGUSR2');
    await proxy.waitForLog(({ msg }) => msg === 'the new version takes clients; draining');
    await log.of(await visit(t, proxy));
    await held.end();
    await log.of(heldPort);
    const pid = proxy.primaryPids.at(-1);
    assert.ok(pid);
    process.kill(pid, 'SIGTERM');
    await proxy.exit;
    assert.equal(log.lines.length, 3);
  });

  it('holds up nobody where the disk is full, and tells of it once', async (t) => {
    const proxy = await startProxy(t, { ...(await options(t)), env: { EDGEPROXY_ACCESS_LOG: '/dev/full' } });
    for (let turn = 0; turn < 5; turn++) await visit(t, proxy);
    await proxy.waitForLog(({ msg }) => String(msg).startsWith('access log: the log file cannot be written: ENOSPC'));
    await visit(t, proxy);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    const warnings = proxy.log.lines.filter(({ msg }) => String(msg).startsWith('access log: '));
    assert.equal(warnings.length, 1);
    const lost = proxy.log.lines.filter(({ msg }) => msg === 'lines of the access log were lost');
    assert.equal(
      lost.reduce((sum, { droppedLines }) => sum + Number(droppedLines), 0),
      6,
    );
  });

  it('holds up nobody where the reader of a pipe is behind, counts what is lost, and keeps room for connections in a flood', async (t) => {
    const path = join(await scratchDirectory(t), 'access.fifo');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    t.after(() => closeSync(reader));
    const limit = {
      EDGEPROXY_RATE_LIMIT_ENABLED: 'on',
      EDGEPROXY_RATE_LIMIT_MAX_REQUESTS: '1',
      EDGEPROXY_RATE_LIMIT_BURST: '1',
    };
    const window = { EDGEPROXY_RATE_LIMIT_WINDOW_SECS: '3600', EDGEPROXY_MAX_CONNECTIONS: '100' };
    const env = { EDGEPROXY_ACCESS_LOG: path, ...window, ...limit };
    const { proxy, udp } = await startUdpProxy(t, { ...(await options(t)), workers: 1, env });
    const held = await connectPeer(t, proxy);
    const heldPort = held.localPort;
    assert.equal(String(await held.readToEnd()), 'hello');
    const flood = await udpPeer(t);
    // More than the pipe, one batch and the ring hold, each datagram a session that is refused.
    const refusals = (): number => proxy.counters.rejected('rate_limited');
    for (let sent = 0; refusals() < 12_000; sent++) {
      assert.ok(sent < 1_000_000);
      flood.send('x', udp);
      if (sent % 200 === 0) await delay(1);
    }
    const total = refusals();
    let text = '';
    await held.end();
    const line = await eventually('the line of a connection that ended in the flood', () => {
      text += readAvailable(reader);
      return text.split('\n').find((each) => each.includes('"protocol":"tcp"') && each.endsWith('}'));
    });
    assert.equal((JSON.parse(line) as AccessLine)['clientPort'], heldPort);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    const lost = proxy.log.lines
      .filter(({ msg }) => msg === 'lines of the access log were lost')
      .reduce((sum, { droppedLines }) => sum + Number(droppedLines), 0);
    assert.ok(lost > 1000, `${lost} of ${total}`);
  });

  it('writes to standard output beside the log, a line as a whole', async (t) => {
    const proxy = await startProxy(t, { ...(await options(t)), env: { EDGEPROXY_ACCESS_LOG: 'stdout' } });
    const ports = await Promise.all(Array.from({ length: 50 }, () => visit(t, proxy)));
    for (const port of ports) await proxy.waitForLog(({ clientPort }) => clientPort === port);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });

  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`tells of clients over their rate, whoever turns them away, with ${accept}`, async (t) => {
      const log = new AccessLogFile(join(await scratchDirectory(t), 'access.log'));
      const limit = {
        EDGEPROXY_RATE_LIMIT_ENABLED: 'on',
        EDGEPROXY_RATE_LIMIT_MAX_REQUESTS: '1',
        EDGEPROXY_RATE_LIMIT_BURST: '1',
      };
      const env = { EDGEPROXY_ACCESS_LOG: log.path, EDGEPROXY_RATE_LIMIT_WINDOW_SECS: '3600', ...limit };
      const proxy = await startProxy(t, { ...(await options(t)), accept, env });
      const clients = 20;
      for (let turn = 0; turn < clients; turn++) {
        const client = await connectPeer(t, proxy).catch(() => null);
        await client?.ending();
        client?.close();
      }
      await eventually('a line for each', () => log.lines.length === clients, { state: () => log.lines.length });
      const refused = log.lines.filter(({ end }) => end === 'rejected:rate_limited');
      assert.equal(refused.length, proxy.counters.rejected('rate_limited'));
      assert.ok(refused.length >= clients - 2);
      for (const { client, listener } of refused)
        assert.deepEqual([client, listener], ['127.0.0.1', 'tcp 127.0.0.1:0']);
    });
  }

  it('ends the start where its file cannot be opened', async (t) => {
    const path = join(await scratchDirectory(t), 'none', 'access.log');
    const proxy = await spawnProxy(t, { env: { EDGEPROXY_ACCESS_LOG: path } });
    assert.deepEqual(await proxy.exit, { code: 2, signal: null });
    assert.ok(proxy.log.lines.some(({ code }) => code === 'EP_LOG_FILE'));
    assert.ok(!existsSync(path));
  });
});

describe('docs/access-log.md', TIME_LIMIT, () => {
  it('explains how each connection may have ended', () => {
    const page = readFileSync(new URL('../../docs/access-log.md', import.meta.url), 'utf8');
    const [, section = ''] = page.split('## How it ended\n');
    const rows = section.split('\n## ')[0]?.matchAll(/^\|([^|]*)\|/gm) ?? [];
    const told = [...rows].flatMap(([, cell = '']) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, word]) => word));
    // What the metrics call finished is told more exactly; a connect that timed out is a rejection there.
    const ended = END_REASONS.filter((reason) => reason !== 'finished');
    const head = 'end';
    assert.deepEqual(told.sort(), [head, 'client_closed', 'backend_closed', 'connect_timeout', ...ended].sort());
  });

  it('shows a configuration that works and lines of the form that it writes', async (t) => {
    const page = readFileSync(new URL('../../docs/access-log.md', import.meta.url), 'utf8');
    const blocks = page.split('```').filter((_, index) => index % 2 === 1);
    const [toml = '', json = '', combined = ''] = blocks.map((block) => block.slice(block.indexOf('\n')).trim());
    const log = new AccessLogFile(join(await scratchDirectory(t), 'access.log'));
    const { proxy, file } = await startConfigured(t, TABLES, await options(t));
    const write = async (text: string): Promise<void> => {
      file.writeText(text.replace('/var/log/edgeproxy-access.log', log.path));
      await reload(proxy);
    };
    await write(`[server]\ntcp_bind = "127.0.0.1:0"\n${toml}`);
    const line = await log.of(await visit(t, proxy));
    const shown = Object.keys(JSON.parse(json) as object);
    // In this order, but for what there is not of this client.
    assert.deepEqual(
      shown.filter((field) => field in line),
      Object.keys(line),
    );
    assert.deepEqual(
      shown.filter((field) => !(field in line)),
      ['country', 'serverName', 'rule'],
    );
    await write(`[server]\ntcp_bind = "127.0.0.1:0"\n${toml.replace('"json"', '"combined"')}`);
    const fields = (text: string): number => text.replace(/"[^"]*"|\[[^\]]*\]/g, 'x').split(' ').length;
    const text = await eventually('a combined line', async () => {
      await visit(t, proxy);
      return log.texts.find((each) => !each.startsWith('{'));
    });
    assert.equal(fields(text), fields(combined));
  });
});
