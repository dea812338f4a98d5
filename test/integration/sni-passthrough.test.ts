/** TLS by name through a whole proxy, with the configuration that docs/sni.md shows and real servers behind it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { echo } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { within } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { type Behaviour, startBackend, type TcpBackend } from '../support/tcp-backend.js';
import { startTlsServer, type TlsServer } from '../support/tls-server.js';

const TIME_LIMIT = { timeout: 300_000 };
const run = promisify(execFile);

/** The example of the page, on addresses of this test. */
function configuration(ports: Readonly<Record<string, number>>, helloTimeoutMs: number): string {
  const page = readFileSync(new URL('../../docs/sni.md', import.meta.url), 'utf8');
  let text = /```toml\n([^]*?)```/.exec(page)?.[1] ?? '';
  text = text.replace('0.0.0.0:443', '127.0.0.1:0').replace('= 3000', `= ${helloTimeoutMs}`);
  for (const [id, port] of Object.entries(ports)) {
    text = text.replace(new RegExp(`(id = "${id}"\naddress = )"[^"]*"`), `$1"127.0.0.1:${port}"`);
  }
  return text;
}

interface Front {
  readonly proxy: ProxyProcess;
  readonly shop: TlsServer;
  readonly plain: TcpBackend;
}

interface FrontOptions extends ProxyOptions {
  readonly helloTimeoutMs?: number;
  readonly behaviour?: Behaviour;
}

async function startFront(t: TestContext, options: FrontOptions = {}): Promise<Front> {
  const { helloTimeoutMs = 20_000, behaviour = echo, ...others } = options;
  const [http2, shop, other, plain] = await Promise.all([
    startTlsServer(t, ['http2-server', 'shop.example.com'], 'h2'),
    startTlsServer(t, ['shop-server', 'shop.example.com', '*.shop.example.com']),
    startTlsServer(t, ['other-server']),
    startBackend(t, behaviour),
  ]);
  const ports = { 'shop-http2-1': http2.port, 'shop-1': shop.port, 'other-1': other.port, 'plain-1': plain.port };
  const file = await ConfigFile.make(t, {});
  file.writeText(configuration(ports, helloTimeoutMs));
  const env = { EDGEPROXY_LISTEN_ADDR: '', EDGEPROXY_BINDING_TTL_SECS: '0' };
  const proxy = await startProxy(t, { args: ['--config', file.path], env, ...others });
  return { proxy, shop, plain };
}

interface Client {
  readonly servername?: string;
  readonly alpn?: readonly string[];
  /** What becomes of its ClientHello on the way. */
  readonly shape?: (hello: Buffer) => readonly Buffer[];
}

/** The common name of who answers it. */
async function serverOf({ proxy }: Front, { servername = '', alpn = [], shape }: Client): Promise<string> {
  const socket = connectTcp({ port: proxy.port, host: proxy.address, noDelay: true });
  const secure = connectTls({
    socket: shape === undefined ? socket : new ShapedStream(socket, shape),
    servername,
    ALPNProtocols: [...alpn],
    rejectUnauthorized: false,
  });
  try {
    const connected = new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject));
    await within(`${servername} is answered`, connected);
    return String(secure.getPeerCertificate().subject.CN);
  } finally {
    secure.on('error', () => undefined).destroy();
    socket.destroy();
  }
}

/** A socket that sends the first write in pieces, each of them a segment of its own. */
class ShapedStream extends Duplex {
  readonly #socket: Socket;
  readonly #shape: (hello: Buffer) => readonly Buffer[];
  #isFirst = true;

  constructor(socket: Socket, shape: (hello: Buffer) => readonly Buffer[]) {
    super();
    this.#socket = socket;
    this.#shape = shape;
    socket.on('data', (chunk: Buffer) => this.push(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: (error?: Error | null) => void): void {
    const pieces = this.#isFirst ? this.#shape(chunk) : [chunk];
    this.#isFirst = false;
    this.#send(pieces).then(() => callback(), callback);
  }

  async #send(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve, reject) => {
        this.#socket.write(piece, (error) => (error ? reject(error) : setImmediate(resolve)));
      });
    }
  }
}

function inBytes(hello: Buffer): Buffer[] {
  return Array.from(hello, (byte) => Buffer.of(byte));
}

/** One record becomes many. */
function inRecords(recordBytes: number): (hello: Buffer) => Buffer[] {
  return (hello) => {
    const records: Buffer[] = [];
    for (let at = 5; at < hello.length; at += recordBytes) {
      const payload = hello.subarray(at, at + recordBytes);
      records.push(
        Buffer.concat([hello.subarray(0, 3), Buffer.of(payload.length >> 8, payload.length & 0xff), payload]),
      );
    }
    return records;
  };
}

for (const accept of ['handoff', 'reuseport'] as const) {
  it(
    `routes by name and protocol, and serves clients without TLS on the same listener (${accept})`,
    TIME_LIMIT,
    async (t) => {
      const front = await startFront(t, { accept });
      const expected: readonly (readonly [Client, string])[] = [
        [{ servername: 'shop.example.com' }, 'shop-server'],
        [{ servername: 'SHOP.example.com', alpn: ['http/1.1'] }, 'shop-server'],
        [{ servername: 'shop.example.com', alpn: ['http/1.1', 'h2'] }, 'http2-server'],
        [{ servername: 'a.shop.example.com', alpn: ['h2'] }, 'shop-server'],
        [{ servername: 'deep.below.shop.example.com' }, 'shop-server'],
        [{ servername: 'example.com' }, 'other-server'],
        [{ servername: 'workshop.example.com' }, 'other-server'],
        [{}, 'other-server'],
      ];
      for (const [client, server] of expected) assert.equal(await serverOf(front, client), server, client.servername);
      const plain = await connectPeer(t, front.proxy);
      await plain.write('GET / HTTP/1.1\r\n\r\n');
      assert.equal((await plain.read(18)).toString(), 'GET / HTTP/1.1\r\n\r\n');
    },
  );
}

describe('SNI passthrough', TIME_LIMIT, () => {
  it('gives curl the server whose certificate it trusts for the name it asks for', async (t) => {
    const { proxy, shop } = await startFront(t);
    const curl = (name: string): Promise<{ stdout: string }> => {
      const to = ['--resolve', `${name}:${proxy.port}:127.0.0.1`, `https://${name}:${proxy.port}/`];
      return run('curl', ['-sS', '--http1.1', '--max-time', '20', '--cacert', shop.certPath, ...to]);
    };
    assert.match((await curl('shop.example.com')).stdout, /s_server/);
    assert.match((await curl('a.shop.example.com')).stdout, /s_server/);
    await assert.rejects(curl('other.example.com'), { code: 60 }, 'another certificate');
  });

  it('joins a ClientHello that comes byte by byte, or in many records', async (t) => {
    const front = await startFront(t);
    for (const shape of [
      inBytes,
      inRecords(100),
      inRecords(1),
      (hello: Buffer) => inBytes(Buffer.concat(inRecords(7)(hello))),
    ]) {
      const client = { servername: 'a.shop.example.com', alpn: ['h2', 'http/1.1'], shape };
      assert.equal(await serverOf(front, client), 'shop-server');
    }
  });

  it('waits for a ClientHello no longer than hello_timeout_ms, then the client is one without TLS', async (t) => {
    const greet: Behaviour = (peer) => peer.write('welcome');
    const { proxy, plain } = await startFront(t, { helloTimeoutMs: 200, behaviour: greet });
    const silent = await connectPeer(t, proxy);
    assert.equal((await silent.read(7)).toString(), 'welcome');
    await plain.nextPeer();
    const slow = await connectPeer(t, proxy);
    await slow.write(Buffer.from('16030102000100', 'hex'));
    assert.equal((await slow.read(7)).toString(), 'welcome');
    assert.equal((await (await plain.nextPeer()).read(7)).toString('hex'), '16030102000100');
  });

  it('passes 64 KiB of garbage on unchanged, at once', async (t) => {
    const { proxy } = await startFront(t);
    const garbage = Buffer.concat([Buffer.from('160301400001003ffc', 'hex'), Buffer.alloc(65_536, 0x16)]);
    const client = await connectPeer(t, proxy);
    await client.write(garbage);
    assert.deepEqual(await client.read(garbage.length), garbage);
  });
});
