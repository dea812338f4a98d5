/** What the relay reads out of ClientHellos, against a second reader and real clients; rules are not needed for that. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { loadNativeAddon, type NativeRelay } from '../../src/adapters/outbound/native/native-addon.js';
import { listenerWords } from '../../src/cluster/listener-words.js';
import {
  ADMITTED_SLOT,
  ALPN_AT,
  BATCH_CAPACITY,
  LISTENER_FLAG,
  NAME_BYTES,
  REQUEST,
  REQUEST_FLAG,
  REQUEST_WORDS,
  RESPONSE,
  RESPONSE_WORDS,
} from '../../src/domain/shared/batch-layout.js';
import { LAYOUT_HASH } from '../../src/domain/shared/layout.js';
import { controlRegion } from '../support/acceptor-rig.js';
import { readHello, type ReadHello } from '../support/client-hello.js';
import { eventually } from '../support/eventually.js';
import { PLAIN_RELAY } from '../support/plain-relay.js';
import type { Owner } from '../support/scratch-directory.js';

const native = loadNativeAddon();
const LISTENER_ID = 3;
const FOLDER = new URL('../fixtures/client-hellos/', import.meta.url);
const LIMITS = {
  maxConnections: 0,
  connectTimeoutMs: 1000,
  connectTotalTimeoutMs: 0,
  idleTimeoutSecs: 0,
  halfCloseTimeoutSecs: 0,
  maxLifetimeSecs: 0,
  helloTimeoutMs: 10_000,
  maxSessionsPerClient: 0,
};

/** A relay in this process with a listener of its own, that turns every client away once it knows what it asks for. */
class HelloReader {
  readonly port: number;
  readonly seen: (ReadHello | null)[] = [];
  readonly #requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  readonly #responses = new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS);
  readonly #names = new Uint8Array(BATCH_CAPACITY * NAME_BYTES);

  constructor(owner: Owner) {
    const [primaryEnd, workerEnd] = native.createChannel();
    const relay = this.#start(owner, workerEnd);
    const listener = native.bind({ address: '127.0.0.1', port: 0, isReusePort: false });
    native.listen(listener.fd, 64);
    native.sendListener(primaryEnd, LISTENER_ID, listener.fd);
    this.port = listener.port;
    owner.after(() => {
      relay.close();
      for (const fd of [primaryEnd, listener.fd]) native.closeFd(fd);
    });
  }

  /** What it reads of a client that sends these bytes and ends. */
  async read(bytes: Buffer): Promise<ReadHello | null> {
    const count = this.seen.length;
    const client = connect(this.port, '127.0.0.1').resume();
    client.on('error', () => undefined);
    client.end(bytes);
    await eventually('route() is asked', () => this.seen.length > count);
    client.destroy();
    return this.seen[count] ?? null;
  }

  #start(owner: Owner, channelFd: number): NativeRelay {
    return new native.Relay({
      region: controlRegion(owner, 1).buffer,
      layoutHash: LAYOUT_HASH,
      workerIndex: 0,
      channelFd,
      requests: this.#requests,
      responses: this.#responses,
      names: this.#names,
      clock: new Int32Array(2),
      ...PLAIN_RELAY,
      listeners: listenerWords([{ id: LISTENER_ID, limits: LIMITS, flags: LISTENER_FLAG.HELLO }], LIMITS),
      onBatch: (count) => this.#answer(count),
      onRegion: () => undefined,
    });
  }

  #answer(count: number): void {
    for (let i = 0; i < count; i++) {
      const request = i * REQUEST_WORDS;
      const flags = this.#requests[request + REQUEST.FLAGS] ?? 0;
      const isAdmission = (flags & REQUEST_FLAG.ADMIT) !== 0;
      this.#responses[i * RESPONSE_WORDS + RESPONSE.SLOT] = isAdmission ? ADMITTED_SLOT : -1;
      if (!isAdmission) this.seen.push((flags & REQUEST_FLAG.TLS) !== 0 ? this.#helloOf(i) : null);
    }
  }

  #helloOf(index: number): ReadHello {
    const at = index * NAME_BYTES;
    const word = (offset: number): number => this.#requests[index * REQUEST_WORDS + offset] ?? 0;
    const name = Buffer.from(this.#names.slice(at, at + word(REQUEST.NAME_LENGTH))).toString('latin1');
    const list = Buffer.from(this.#names.slice(at + ALPN_AT, at + ALPN_AT + word(REQUEST.ALPN_LENGTH)));
    const protocols: string[] = [];
    for (let from = 0; from < list.length; from += 1 + (list[from] ?? 0)) {
      protocols.push(list.toString('latin1', from + 1, from + 1 + (list[from] ?? 0)));
    }
    return { name, protocols, session: word(REQUEST.SESSION) };
  }
}

interface Captured {
  readonly file: string;
  readonly bytes: Buffer;
  readonly name: string;
  readonly protocols: string;
}

function capturedHellos(): Captured[] {
  const lines = readFileSync(new URL('expected.tsv', FOLDER), 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const [file = '', name = '', protocols = ''] = line.split('\t').map((cell) => (cell === '-' ? '' : cell));
    return { file, name, protocols, bytes: readFileSync(new URL(`${file}.bin`, FOLDER)) };
  });
}

/** As in native/test/client_hello_fuzz_test.cc, for a comparison of two readers instead of a search for crashes. */
function tamper(bytes: Buffer, random: () => number): Buffer {
  const below = (end: number): number => Math.floor(random() * end);
  const tampered = Buffer.from(bytes);
  const at = below(tampered.length);
  switch (below(4)) {
    case 0:
      tampered[at] = below(256);
      return tampered;
    case 1:
      tampered[at] = (tampered[at] ?? 0) + (below(2) === 0 ? 1 : 255);
      return tampered;
    case 2:
      return Buffer.concat([tampered.subarray(0, at), tampered.subarray(Math.min(at + below(20), tampered.length))]);
    default: {
      const early = below(60);
      tampered[early] = (tampered[early] ?? 0) ^ (1 << below(8));
      return tampered;
    }
  }
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('captured ClientHellos say what they were made to ask for', async (t) => {
  const reader = new HelloReader(t);
  for (const { file, bytes, name, protocols } of capturedHellos()) {
    const read = await reader.read(bytes);
    assert.deepEqual(read, readHello(bytes), file);
    assert.equal(read?.name, name, file);
    if (file !== 'openssl-small-records') assert.equal(read.protocols.join(), protocols, file);
  }
});

test('a second reader finds the same in ClientHellos that were tampered with', async (t) => {
  const reader = new HelloReader(t);
  const random = seeded(7);
  const captured = capturedHellos();
  let complete = 0;
  for (let round = 0; round < 400; round++) {
    let bytes = captured[round % captured.length]?.bytes ?? Buffer.alloc(0);
    for (let i = Math.floor(random() * 3); i >= 0; i--) bytes = tamper(bytes, random);
    const expected = readHello(bytes);
    assert.deepEqual(await reader.read(bytes), expected, `round ${round}: ${bytes.toString('hex')}`);
    if (expected !== null) complete++;
  }
  assert.ok(complete > 50 && complete < 350, `${complete} are still whole`);
});

test('what is no TLS has no name', async (t) => {
  const reader = new HelloReader(t);
  const start = Buffer.from([22, 3, 1, 64, 0, 1, 0, 63, 252]);
  const others = ['', 'GET / HTTP/1.1\r\n\r\n', start, Buffer.concat([start, Buffer.alloc(65_536, 1)])];
  for (const bytes of others) assert.equal(await reader.read(Buffer.from(bytes)), null);
});

test('real clients say their names and protocols', async (t) => {
  const reader = new HelloReader(t);
  const port = String(reader.port);
  const clients: [string, readonly string[], string, string][] = [
    [
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'Live.test', '-alpn', 'h2,x'],
      'live.test',
      'h2,x',
    ],
    [
      'curl',
      ['-sk', '--http1.1', '--resolve', `live.test:${port}:127.0.0.1`, `https://live.test:${port}/`],
      'live.test',
      'http/1.1',
    ],
  ];
  for (const [program, args, name, protocols] of clients) {
    const count = reader.seen.length;
    await new Promise<void>((resolve) => execFile(program, args, { timeout: 20_000 }, () => resolve()));
    const read = reader.seen[count];
    assert.equal(read?.name, name, program);
    assert.equal(read.protocols.join(), protocols, program);
  }
});
