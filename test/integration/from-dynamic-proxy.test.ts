/** A configuration file of dynamic-proxy, as docs/from-dynamic-proxy.md shows it, in a real proxy with real clients. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { echo, nameAndEnd } from '../support/backend-behaviours.js';
import { edgeproxy } from '../support/edgeproxy-command.js';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import { scratchDirectory, type Owner } from '../support/scratch-directory.js';
import { startBackend } from '../support/tcp-backend.js';

const TIME_LIMIT = { timeout: 300_000 };
const PAGE = fileURLToPath(new URL('../../docs/from-dynamic-proxy.md', import.meta.url));
/** What the file says, not the variables that tests otherwise set. */
const FROM_FILE = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_LOG_LEVEL: '' };
/** An address of this process alone: the file has fixed ports. */
const OWN = `127.${100 + (process.pid % 100)}.${(process.pid >>> 8) & 255}.${process.pid & 255}`;

function example(): string {
  const [, toml] = /```toml\n([^]*?)```/.exec(readFileSync(PAGE, 'utf8')) ?? [];
  assert.ok(toml !== undefined, 'the page has no example');
  return toml.replaceAll('127.0.0.1:80', `${OWN}:80`).replaceAll('127.0.0.1:9090', `${OWN}:9090`);
}

async function udpSocket(owner: Owner): Promise<Socket> {
  const socket = createSocket('udp4');
  owner.after(() => void socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

async function fileOf(owner: Owner, text: string): Promise<string> {
  const path = join(await scratchDirectory(owner), 'config.toml');
  writeFileSync(path, text);
  return path;
}

async function start(owner: Owner, text: string): Promise<{ readonly proxy: ProxyProcess; readonly path: string }> {
  const path = await fileOf(owner, text);
  return { proxy: await startProxy(owner, { args: ['-c', path, '-l', 'debug'], env: FROM_FILE }), path };
}

/** What the backend says that a client of that port comes to. */
async function greetingAt(owner: Owner, port: number): Promise<string> {
  const peer = await connectPeer(owner, { address: OWN, port });
  const text = String(await peer.readToEnd());
  await peer.end();
  return text;
}

describe('a configuration file of dynamic-proxy', () => {
  it('is valid as it stands, for the flag that it had there, too', async (t) => {
    const file = await fileOf(t, example());
    for (const args of [
      ['validate', file],
      ['-c', file, '--validate'],
    ]) {
      const { status, stdout, stderr } = edgeproxy(args);
      assert.deepEqual([status, stdout], [0, 'configuration is valid\n'], stderr);
      assert.equal(stderr, '');
    }
  });

  it('has the flag for versions that it had there', () => {
    assert.deepEqual(edgeproxy(['-V']), edgeproxy(['--version-info']));
    assert.match(edgeproxy(['-V']).stdout, /^edgeproxy /);
  });

  it('sends TCP clients to the backends of its rules, each in turn', TIME_LIMIT, async (t) => {
    const first = await startBackend(t, nameAndEnd('first'));
    const second = await startBackend(t, nameAndEnd('second'));
    const text = example()
      .replace('127.0.0.1:9001', `127.0.0.1:${first.port}`)
      .replace('127.0.0.1:9002', `127.0.0.1:${second.port}`);
    await start(t, text);
    const greetings = [];
    for (let client = 0; client < 6; client++) greetings.push(await greetingAt(t, 8080));
    const scraped = await fetch(`http://${OWN}:9090/metrics`);
    assert.match(await scraped.text(), /^edgeproxy_connections_total 6$/m);
    assert.deepEqual(greetings.toSorted(), ['first', 'first', 'first', 'second', 'second', 'second']);
  });

  it('sends UDP clients to the backends of its rules', TIME_LIMIT, async (t) => {
    const backend = await udpSocket(t);
    backend.on('message', (message, { port, address }) => backend.send(`dns-1 ${String(message)}`, port, address));
    await start(t, example().replace('127.0.0.1:9003', `127.0.0.1:${backend.address().port}`));
    const client = await udpSocket(t);
    client.send('who', 8081, OWN);
    const [answer] = (await once(client, 'message')) as [Buffer];
    assert.equal(String(answer), 'dns-1 who');
  });

  it('takes a rule away and brings another one at a reload, and tells of both by name', TIME_LIMIT, async (t) => {
    const { port } = await startBackend(t, echo);
    const text = example()
      .replaceAll('127.0.0.1:9001', `127.0.0.1:${port}`)
      .replaceAll('127.0.0.1:9002', `127.0.0.1:${port}`);
    const { proxy, path } = await start(t, text);
    writeFileSync(path, text.replace('name = "web"', 'name = "site"'));
    proxy.signal('SIGHUP');
    const line = await proxy.waitForLog(({ msg }) => msg === 'configuration reloaded');
    assert.deepEqual(line['changes'], { rules: { added: ['site'], removed: ['web'] } });
    await eventually('a client is served by the new rule', async () => {
      const peer = await connectPeer(t, { address: OWN, port: 8080 });
      await peer.write('hello');
      return peer.read(5).then(
        (bytes) => String(bytes) === 'hello',
        () => false,
      );
    });
  });
});
