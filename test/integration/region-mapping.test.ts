import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { eventually } from '../support/eventually.js';
import { openDescriptors } from '../support/process-facts.js';

const native = loadNativeAddon();
const ADDON = fileURLToPath(new URL('../../build/Release/edgeproxy.node', import.meta.url));
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Mappings of the region of that name in this process. */
function mappings(name: string): number {
  return readFileSync('/proc/self/maps', 'utf8').split(`/memfd:${name} (deleted)`).length - 1;
}

test('a region is a zeroed SharedArrayBuffer, and mapping its descriptor gives the same memory', () => {
  const { fd, buffer } = native.createRegion('edge-same', 5000);
  assert.ok(buffer instanceof SharedArrayBuffer);
  assert.equal(buffer.byteLength, 5000);
  assert.ok(new Uint8Array(buffer).every((byte) => byte === 0));
  const again = native.mapRegion(fd);
  Atomics.store(new Int32Array(again, 0, 1250), 7, 42);
  assert.equal(Atomics.load(new Int32Array(buffer, 0, 1250), 7), 42);
  native.closeFd(fd);
  assert.equal(Atomics.add(new Int32Array(again, 0, 1250), 7, 1), 42, 'the memory outlives the descriptor');
});

test('additions from two processes at once all arrive', async () => {
  const adds = 200_000;
  const { fd, buffer } = native.createRegion('edge-adds', 64);
  const script = `
    const native = require(${JSON.stringify(ADDON)});
    const words = new Int32Array(native.mapRegion(3));
    Atomics.store(words, 1, 1);
    for (let i = 0; i < ${adds}; i++) Atomics.add(words, 0, 1);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', fd] });
  const exit = once(child, 'exit');
  const words = new Int32Array(buffer);
  await eventually('the other process has begun', () => Atomics.load(words, 1) === 1);
  for (let i = 0; i < adds; i++) Atomics.add(words, 0, 1);
  assert.deepEqual(await exit, [0, null]);
  assert.equal(Atomics.load(words, 0), 2 * adds);
  native.closeFd(fd);
});

test('the mapping ends with the last buffer over it', async () => {
  const before = openDescriptors(process.pid);
  const name = 'edge-collected';
  for (let i = 0; i < 20; i++) native.closeFd(native.createRegion(name, 4096).fd);
  const kept = native.createRegion(name, 4096);
  native.closeFd(kept.fd);
  assert.ok(mappings(name) > 1);
  await eventually('the mappings of collected buffers are gone', () => {
    collectGarbage();
    return mappings(name) === 1;
  });
  assert.equal(kept.buffer.byteLength, 4096);
  assert.equal(openDescriptors(process.pid), before);
});

test('what is no sealed memfd is refused with the system call and its errno', () => {
  const file = openSync(ADDON, 'r');
  assert.throws(() => native.mapRegion(file), { code: 'EP_SYSCALL', errnoCode: 'EINVAL', errno: 22, syscall: 'fcntl' });
  closeSync(file);
  assert.throws(() => native.mapRegion(999_999), { code: 'EP_SYSCALL', errnoCode: 'EBADF', errno: 9 });
  assert.throws(() => native.closeFd(999_999), { code: 'EP_SYSCALL', errnoCode: 'EBADF', syscall: 'close' });
  assert.throws(() => native.createRegion('edge-huge', Number.MAX_SAFE_INTEGER), { code: 'EP_SYSCALL' });
  assert.throws(() => native.createRegion('n'.repeat(300), 64), { errnoCode: 'EINVAL', syscall: 'memfd_create' });
});

test('arguments of a wrong type or out of range are a TypeError that names them', () => {
  const before = openDescriptors(process.pid);
  for (const bytes of [0, -1, 1.5, NaN, Infinity, 2 ** 60, '64', undefined]) {
    assert.throws(() => native.createRegion('edge-wrong', bytes as number), { name: 'TypeError', message: /^bytes:/ });
  }
  assert.throws(() => native.createRegion(7 as never, 64), { name: 'TypeError', message: /^name:/ });
  for (const fd of [-1, 1.5, 2 ** 31, NaN, '3', null, undefined]) {
    assert.throws(() => native.mapRegion(fd as number), { name: 'TypeError', message: /^fd:/ });
    assert.throws(() => native.closeFd(fd as number), { name: 'TypeError', message: /^fd:/ });
    assert.throws(() => native.dieWithParent(fd as number), { name: 'TypeError', message: /^parentPid:/ });
  }
  assert.equal(openDescriptors(process.pid), before);
});

test('the limit of descriptors is raised to the hard one', () => {
  const { soft, hard } = native.raiseFileLimit();
  assert.equal(soft, hard);
  const limits = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  assert.deepEqual([Number(limits?.[1]), Number(limits?.[2])], [soft, hard]);
});

test('a process whose parent is another one than it believes is told so', () => {
  assert.throws(() => native.dieWithParent(2 ** 30), { code: 'EP_SYSCALL', errnoCode: 'ESRCH', syscall: 'getppid' });
});

test('a region that nobody holds is unmapped when asked for, without waiting for the collector', async () => {
  (() => native.closeFd(native.createRegion('edge-dropped', 1 << 20).fd))();
  assert.equal(mappings('edge-dropped'), 1);
  // The last frame's references are gone in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  native.releaseUnusedRegions();
  assert.equal(mappings('edge-dropped'), 0);
});
