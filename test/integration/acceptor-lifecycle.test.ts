import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { loadNativeAddon, type NativeAcceptor } from '../../src/adapters/outbound/native/native-addon.js';
import { LAYOUT_HASH } from '../../src/domain/shared/layout.js';
import { controlRegion, startAcceptor } from '../support/acceptor-rig.js';
import { eventually } from '../support/eventually.js';
import { openDescriptors } from '../support/process-facts.js';

const native = loadNativeAddon();
const ADDON = fileURLToPath(new URL('../../build/Release/edgeproxy.node', import.meta.url));
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Acceptor threads of this process. */
function threads(): number {
  return readdirSync('/proc/self/task').filter((id) => threadName(id) === 'edge-acceptor').length;
}

function threadName(id: string): string {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** A thread that was joined may be listed for a moment still. */
function threadsAreGone(): Promise<unknown> {
  return eventually('no acceptor thread is left', () => threads() === 0);
}

/** Source of a script that has an open acceptor with one worker and `max` places, and a listener. */
function scriptWithAcceptor(region: SharedArrayBuffer | null, then: string): string {
  return `
    const native = require(${JSON.stringify(ADDON)});
    const region = ${region === null ? 'native.mapRegion(3)' : `require('node:worker_threads').workerData`};
    const acceptor = new native.Acceptor({ region, layoutHash: ${LAYOUT_HASH}, maxConnectionsPerWorker: 1, coalesceMicros: 0 });
    const listener = native.bind({ address: '127.0.0.1', port: 0, isReusePort: false });
    native.listen(listener.fd, 8);
    acceptor.addListener(0, listener.fd);
    acceptor.workerUp(0, ...native.createChannel());
    const client = () => require('node:net').connect(listener.port, '127.0.0.1').on('error', () => undefined).unref();
    ${then}`;
}

test('connections go to the live workers in turn, and a dead one hands over what it had', async (t) => {
  const rig = startAcceptor(t);
  rig.up(0);
  rig.up(1);
  await rig.clients(20);
  await eventually('all are handed on', () => rig.acceptor.stats().handed === 20);
  assert.deepEqual([rig.active(0), rig.active(1)], [10, 10]);

  await rig.acceptor.workerDown(0);
  assert.deepEqual([rig.active(0), rig.active(1)], [0, 20]);
  await rig.acceptor.workerDown(1);
  assert.deepEqual([rig.active(0), rig.active(1)], [0, 0]);
  rig.up(0);
  await eventually('the successor gets all', () => rig.active(0) === 20);
  assert.equal(rig.acceptor.stats().recovered, 30);
  assert.equal(rig.acceptor.stats().lost, 0);
});

test('workers at their limit get no more, and the next client when a place is free', async (t) => {
  const rig = startAcceptor(t, { workers: 1, maxConnections: 3 });
  rig.up(0);
  await rig.clients(5);
  await eventually('the acceptor rests', () => rig.acceptor.stats().rested >= 1);
  assert.equal(rig.acceptor.stats().accepted, 3);
  Atomics.sub(rig.region.words, rig.region.workerAt(0), 2);
  await eventually('the others get in', () => rig.acceptor.stats().handed === 5);
  assert.equal(rig.active(0), 3);
});

test('stop hands on what is queued, and then nothing is accepted any more', async (t) => {
  const rig = startAcceptor(t, { workers: 1 });
  await rig.clients(50);
  assert.equal(rig.acceptor.stats().accepted, 0);
  rig.up(0);
  await rig.acceptor.stop();
  assert.equal(rig.active(0), 50);
  await rig.clients(3);
  await rig.acceptor.stop();
  assert.equal(rig.acceptor.stats().accepted, 50);
});

test('a listener can be taken away and given back', async (t) => {
  const rig = startAcceptor(t, { workers: 1 });
  rig.acceptor.removeListener(rig.listener.fd);
  rig.up(0);
  await rig.clients(4);
  await rig.acceptor.workerDown(0);
  assert.equal(rig.acceptor.stats().accepted, 0);
  rig.up(0);
  rig.acceptor.addListener(0, rig.listener.fd);
  await eventually('what waited is accepted', () => rig.active(0) === 4);
});

test('close settles every promise, may be called twice, and afterwards all else is refused', async (t) => {
  const rig = startAcceptor(t);
  rig.up(0);
  await rig.clients(10);
  const pending = [rig.acceptor.workerDown(0), rig.acceptor.stop(), rig.acceptor.workerDown(1), rig.acceptor.stop()];
  rig.acceptor.close();
  rig.acceptor.close();
  await Promise.all(pending);

  const shutDown = { code: 'EP_SYSCALL', errnoCode: 'ESHUTDOWN' };
  await assert.rejects(rig.acceptor.stop(), shutDown);
  await assert.rejects(rig.acceptor.workerDown(0), shutDown);
  assert.throws(() => rig.acceptor.addListener(0, rig.listener.fd), shutDown);
  assert.throws(() => rig.acceptor.removeListener(rig.listener.fd), shutDown);
  assert.throws(() => rig.up(0), shutDown);
  assert.equal(typeof rig.acceptor.stats().accepted, 'number');
});

test('a closed acceptor leaves no thread and no descriptor', async () => {
  await threadsAreGone();
  const before = openDescriptors(process.pid);
  const owners: (() => void | Promise<void>)[] = [];
  const rig = startAcceptor({ after: (action) => owners.push(action) }, { workers: 4 });
  for (let index = 0; index < 4; index++) rig.up(index);
  assert.equal(threads(), 1);
  for (const close of owners.reverse()) void close();
  await threadsAreGone();
  assert.equal(openDescriptors(process.pid), before);
});

test('an acceptor that is forgotten ends with the garbage', async (t) => {
  const { buffer } = controlRegion(t, 1);
  const before = openDescriptors(process.pid);
  const start = (): NativeAcceptor =>
    new native.Acceptor({ region: buffer, layoutHash: LAYOUT_HASH, maxConnectionsPerWorker: 1, coalesceMicros: 0 });
  for (let i = 0; i < 5; i++) start();
  await eventually('their threads are gone', async () => {
    collectGarbage();
    await new Promise(setImmediate);
    return threads() === 0;
  });
  assert.equal(openDescriptors(process.pid), before);
});

test('wrong options, arguments and receivers are a TypeError', async (t) => {
  const { buffer } = controlRegion(t, 2);
  const good = { region: buffer, layoutHash: LAYOUT_HASH, maxConnectionsPerWorker: 10, coalesceMicros: 150 };
  const wrong: object[] = [
    { region: new ArrayBuffer(4096) },
    { region: new SharedArrayBuffer(0) },
    { region: new SharedArrayBuffer(4096) },
    { region: undefined },
    { layoutHash: LAYOUT_HASH ^ 1 },
    { layoutHash: 'x' },
    { maxConnectionsPerWorker: 0 },
    { maxConnectionsPerWorker: 2 ** 31 },
    { coalesceMicros: 10_001 },
    { coalesceMicros: NaN },
  ];
  for (const changes of wrong) {
    assert.throws(() => new native.Acceptor({ ...good, ...changes }), { name: 'TypeError' }, JSON.stringify(changes));
  }
  assert.throws(() => new native.Acceptor(undefined as never), { name: 'TypeError' });
  await threadsAreGone();

  const acceptor = new native.Acceptor(good);
  t.after(() => acceptor.close());
  for (const index of [-1, 2, 1.5, NaN, '0']) {
    assert.throws(() => acceptor.workerUp(index as number, 0, 1), { name: 'TypeError', message: /^index:/ });
    assert.throws(() => void acceptor.workerDown(index as number), { name: 'TypeError', message: /^index:/ });
  }
  assert.throws(() => acceptor.addListener(-1, 0), { name: 'TypeError', message: /^listenerId:/ });
  assert.throws(() => acceptor.addListener(0, 1.5), { name: 'TypeError', message: /^fd:/ });
  for (const name of ['addListener', 'stop', 'close', 'stats'] as const) {
    const method = Reflect.get(native.Acceptor.prototype as object, name) as (this: unknown) => void;
    assert.throws(() => method.call({}), { name: 'TypeError' });
    assert.throws(() => method.call(native.Relay.prototype), { name: 'TypeError' });
  }
});

test('what is no listening socket is refused by the system', (t) => {
  const rig = startAcceptor(t, { workers: 1 });
  assert.throws(() => rig.acceptor.addListener(0, 999_999), { code: 'EP_SYSCALL', errnoCode: 'EBADF' });
  assert.throws(() => rig.acceptor.workerUp(0, 999_999, 999_998), { code: 'EP_SYSCALL', errnoCode: 'EBADF' });
  const [primaryEnd, workerEnd] = native.createChannel();
  assert.throws(() => rig.acceptor.addListener(0, primaryEnd), { code: 'EP_SYSCALL', syscall: 'accept4' });
  for (const fd of [primaryEnd, workerEnd]) native.closeFd(fd);
});

test('an open acceptor keeps no process alive, a promise that waits does', async (t) => {
  const { region } = controlRegion(t, 1);
  const again = native.createRegion('edge-child', region.words.byteLength);
  t.after(() => native.closeFd(again.fd));
  new Int32Array(again.buffer).set(region.words);
  for (const [then, output] of [
    ['', ''],
    // Two clients and one place: stop waits for room as long as it may.
    [`client(); client(); acceptor.stop().then(() => console.log('stopped'));`, 'stopped\n'],
  ] as const) {
    const script = scriptWithAcceptor(null, then);
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit', again.fd] });
    let printed = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    assert.deepEqual({ code, signal, printed }, { code: 0, signal: null, printed: output });
  }
});

test('an environment that ends with promises waiting takes the thread with it', async (t) => {
  await threadsAreGone();
  const { buffer } = controlRegion(t, 1);
  const before = openDescriptors(process.pid);
  const script = scriptWithAcceptor(
    buffer,
    `client(); client();
     setImmediate(() => { acceptor.stop(); acceptor.workerDown(0); require('node:worker_threads').parentPort.postMessage(listener.fd); });
     setInterval(() => undefined, 1000);`,
  );
  const worker = new Worker(script, { eval: true, workerData: buffer });
  const [listenerFd] = (await once(worker, 'message')) as [number];
  assert.equal(threads(), 1);
  await worker.terminate();
  await threadsAreGone();
  native.closeFd(listenerFd);
  // The channel's two ends are the script's and stay with the process.
  assert.equal(openDescriptors(process.pid), before + 2);
});
