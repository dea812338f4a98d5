import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import {
  loadNativeAddon,
  NATIVE_REGION_KIND,
  type NativeError,
  type NativeRelay,
} from '../../src/adapters/outbound/native/native-addon.js';
import {
  BATCH_CAPACITY,
  LISTENER_WORDS,
  NAME_BYTES,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  RESPONSE_WORDS,
} from '../../src/domain/shared/batch-layout.js';
import { LAYOUT_HASH, MAX_LISTENERS } from '../../src/domain/shared/layout.js';
import { controlRegion, startAcceptor } from '../support/acceptor-rig.js';
import { eventually, within } from '../support/eventually.js';
import { PLAIN_RELAY } from '../support/plain-relay.js';
import { openDescriptors } from '../support/process-facts.js';
import type { Owner } from '../support/scratch-directory.js';

const native = loadNativeAddon();

/** A relay in this process that turns every client away, and what it was told. */
class Reader {
  readonly channel: number;
  readonly relay: NativeRelay;
  readonly listeners: number[] = [];
  readonly regions: { kind: number; buffer: SharedArrayBuffer }[] = [];
  readonly #requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  readonly #responses = new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS);

  constructor(owner: Owner) {
    const [primaryEnd, workerEnd] = native.createChannel();
    this.channel = primaryEnd;
    this.relay = new native.Relay({
      region: controlRegion(owner, 1).buffer,
      layoutHash: LAYOUT_HASH,
      workerIndex: 0,
      channelFd: workerEnd,
      requests: this.#requests,
      responses: this.#responses,
      names: new Uint8Array(BATCH_CAPACITY * NAME_BYTES),
      clock: new Int32Array(2),
      ...PLAIN_RELAY,
      listeners: new Array<number>(MAX_LISTENERS * LISTENER_WORDS).fill(0),
      onBatch: (count) => this.#turnAway(count),
      onRegion: (kind, buffer) => this.regions.push({ kind, buffer }),
    });
    owner.after(() => {
      this.relay.close();
      native.closeFd(primaryEnd);
    });
  }

  /** Everything that was sent before this has been read. */
  async isUpToDate(): Promise<void> {
    const { fd } = native.createRegion('edge-marker', 64);
    const count = this.regions.length;
    native.sendRegion(this.channel, 0, fd);
    native.closeFd(fd);
    await eventually('the marker arrives', () => this.regions.length > count);
  }

  #turnAway(count: number): void {
    for (let i = 0; i < count; i++) {
      this.listeners.push(this.#requests[i * REQUEST_WORDS + REQUEST.LISTENER] ?? -1);
      this.#responses[i * RESPONSE_WORDS + RESPONSE.SLOT] = -1;
    }
  }
}

/** No process here has that many. */
const CLOSED_FD = 999_999;

test('a region sent through the channel is the same memory at the other end', async (t) => {
  const reader = new Reader(t);
  const { fd, buffer } = native.createRegion('edge-sent', 4096);
  native.sendRegion(reader.channel, NATIVE_REGION_KIND.GEO, fd);
  native.closeFd(fd);
  const { kind, buffer: received } = await eventually('the region arrives', () => reader.regions[0]);
  assert.equal(kind, NATIVE_REGION_KIND.GEO);
  Atomics.store(new Int32Array(buffer), 9, 1234);
  assert.equal(Atomics.load(new Int32Array(received), 9), 1234);
});

test('a listener sent through the channel is accepted from until it is taken back, and then keeps its queue', async (t) => {
  const reader = new Reader(t);
  const rig = startAcceptor(t, { workers: 1 });
  rig.acceptor.removeListener(rig.listener.fd);
  native.sendListener(reader.channel, 5, rig.listener.fd);
  const client = connect(rig.listener.port, '127.0.0.1').resume();
  client.on('error', () => undefined);
  await within('the relay closes its client', new Promise((resolve) => client.once('close', resolve)));
  assert.deepEqual(reader.listeners, [5]);

  native.sendCloseListener(reader.channel, 5);
  await reader.isUpToDate();
  await rig.clients(3);
  rig.acceptor.addListener(0, rig.listener.fd);
  rig.up(0);
  await eventually('they wait for whoever accepts next', () => rig.active(0) === 3);
  assert.deepEqual(reader.listeners, [5]);
});

test('a full channel is EAGAIN, nothing of it is lost, and it takes messages again once read', async (t) => {
  const reader = new Reader(t);
  const [primaryEnd, workerEnd] = native.createChannel();
  t.after(() => {
    for (const fd of [primaryEnd, workerEnd]) native.closeFd(fd);
  });
  const fill = (channel: number): number => {
    for (let sent = 0; ; sent++) {
      try {
        native.sendCloseListener(channel, 9);
      } catch (error) {
        const { code, errnoCode, syscall } = error as NativeError;
        assert.deepEqual([code, errnoCode, syscall], ['EP_SYSCALL', 'EAGAIN', 'sendmsg']);
        return sent;
      }
    }
  };
  assert.ok(fill(primaryEnd) > 16);
  assert.equal(fill(primaryEnd), 0);

  assert.ok(fill(reader.channel) > 16);
  await eventually('there is room again', () => {
    try {
      native.sendCloseListener(reader.channel, 9);
      return true;
    } catch {
      return false;
    }
  });
  await reader.isUpToDate();
});

test('a channel or a descriptor that is closed is refused by the system', (t) => {
  const reader = new Reader(t);
  const { fd: region } = native.createRegion('edge-unsent', 64);
  const badFile = { code: 'EP_SYSCALL', errnoCode: 'EBADF', syscall: 'sendmsg' };
  assert.throws(() => native.sendRegion(CLOSED_FD, 1, region), badFile);
  assert.throws(() => native.sendRegion(reader.channel, 1, CLOSED_FD), badFile);
  assert.throws(() => native.sendListener(reader.channel, 1, CLOSED_FD), badFile);
  assert.throws(() => native.sendCloseListener(CLOSED_FD, 1), badFile);
  native.closeFd(region);
});

test('arguments of a wrong type or out of range are a TypeError that names them, and nothing is closed', (t) => {
  const reader = new Reader(t);
  const before = openDescriptors(process.pid);
  for (const wrong of [-1, 1.5, NaN, 2 ** 31, '1', undefined]) {
    const value = wrong as number;
    assert.throws(() => native.sendRegion(value, 1, 1), { name: 'TypeError', message: /^channelFd:/ });
    assert.throws(() => native.sendRegion(reader.channel, 1, value), { name: 'TypeError', message: /^fd:/ });
    assert.throws(() => native.sendCloseListener(value, 1), { name: 'TypeError', message: /^channelFd:/ });
  }
  for (const wrong of [-1, 2 ** 32, {}]) {
    const value = wrong as number;
    assert.throws(() => native.sendRegion(reader.channel, value, 1), { name: 'TypeError', message: /^kind:/ });
    assert.throws(() => native.sendListener(reader.channel, value, 1), { name: 'TypeError', message: /^listenerId:/ });
    assert.throws(() => native.sendCloseListener(reader.channel, value), {
      name: 'TypeError',
      message: /^listenerId:/,
    });
  }
  assert.equal(openDescriptors(process.pid), before);
});
