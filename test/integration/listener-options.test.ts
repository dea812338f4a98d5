import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { loadNativeAddon, type NativeBindOptions } from '../../src/adapters/outbound/native/native-addon.js';
import { openDescriptors } from '../support/process-facts.js';

const native = loadNativeAddon();

function options(changes: Partial<NativeBindOptions> = {}): NativeBindOptions {
  return { address: '127.0.0.1', port: 0, isReusePort: false, ...changes };
}

test('a client connects to the port that the kernel chose, also through an address of the other family', async () => {
  for (const [address, host] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::', '::1'],
    ['::', '127.0.0.1'],
  ] as const) {
    const { fd, port } = native.bind(options({ address }));
    native.listen(fd, 16);
    const client = connect(port, host);
    await once(client, 'connect');
    client.destroy();
    native.closeFd(fd);
  }
});

test('an address in use is refused by name, and shared where both sides ask for it', () => {
  const first = native.bind(options());
  native.listen(first.fd, 16);
  assert.throws(() => native.bind(options({ port: first.port })), {
    code: 'EP_SYSCALL',
    errnoCode: 'EADDRINUSE',
    syscall: 'bind',
    message: /^bind: .*\(EADDRINUSE\)$/,
  });
  native.closeFd(first.fd);
  const shared = native.bind(options({ isReusePort: true }));
  const another = native.bind(options({ isReusePort: true, port: shared.port }));
  assert.equal(another.port, shared.port);
  for (const { fd } of [shared, another]) native.closeFd(fd);
});

test('an address that is not this machine, or none at all, is refused by the system', () => {
  assert.throws(() => native.bind(options({ address: '192.0.2.1' })), { errnoCode: 'EADDRNOTAVAIL' });
  for (const address of ['localhost', '', '1.2.3.4.5', '[::1]']) {
    assert.throws(() => native.bind(options({ address })), { errnoCode: 'EINVAL', syscall: 'bind' });
  }
});

test('options of a wrong type or out of range are a TypeError and leave nothing open', () => {
  const before = openDescriptors(process.pid);
  const wrong: object[] = [
    { port: 65_536 },
    { port: -1 },
    { port: '80' },
    { isReusePort: 1 },
    { address: 7 },
    { address: undefined },
  ];
  for (const changes of wrong) {
    assert.throws(() => native.bind(options(changes)), { name: 'TypeError' });
  }
  assert.throws(() => native.listen(-1, 16), { name: 'TypeError' });
  assert.throws(() => native.listen(0, 2 ** 31), { name: 'TypeError' });
  for (const none of [undefined, null, 'x']) {
    assert.throws(() => native.bind(none as never), { name: 'TypeError' });
  }
  assert.equal(openDescriptors(process.pid), before);
});
