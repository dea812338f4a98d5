/** Variables and sockets of a service manager. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ListenerConfig } from '../../src/application/listener-config.js';
import { takeHandedOver, toHandOn } from '../../src/cluster/service-manager/handed-over.js';
import { matchSockets, type HandedSocket } from '../../src/cluster/service-manager/handed-sockets.js';

const PID = 4711;
const NOTHING = { notifySocket: null, watchdogMs: null, socketNames: [] };

describe('what a service manager hands over', () => {
  it('is taken out of the environment', () => {
    const env = {
      NOTIFY_SOCKET: '/run/systemd/notify',
      WATCHDOG_USEC: '30000000',
      WATCHDOG_PID: String(PID),
      LISTEN_PID: String(PID),
      LISTEN_FDS: '3',
      LISTEN_FDNAMES: 'web:dns',
      HOME: '/',
    };
    const handedOver = takeHandedOver(env, PID);
    assert.deepEqual(handedOver, {
      notifySocket: '/run/systemd/notify',
      watchdogMs: 30_000,
      socketNames: ['web', 'dns', ''],
    });
    assert.deepEqual(env, { HOME: '/' });
    assert.deepEqual(toHandOn(handedOver), { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '30000000' });
  });

  it('counts as absent where it is for another process, and is taken out all the same', () => {
    const env = { WATCHDOG_USEC: '1', WATCHDOG_PID: '1', LISTEN_PID: '1', LISTEN_FDS: '1' };
    assert.deepEqual(takeHandedOver(env, PID), NOTHING);
    assert.deepEqual(env, {});
    assert.deepEqual(takeHandedOver({ LISTEN_FDS: '1' }, PID), NOTHING);
    assert.deepEqual(takeHandedOver({}, PID), NOTHING);
    assert.deepEqual(toHandOn(NOTHING), {});
  });

  it('may name sockets of kinds that are not for us, and watchdogs without a pid', () => {
    assert.equal(takeHandedOver({ NOTIFY_SOCKET: 'vsock:2:1' }, PID).notifySocket, null);
    assert.equal(takeHandedOver({ NOTIFY_SOCKET: '@a' }, PID).notifySocket, '@a');
    assert.equal(takeHandedOver({ WATCHDOG_USEC: '2000' }, PID).watchdogMs, 2);
    assert.equal(takeHandedOver({ WATCHDOG_USEC: '0' }, PID).watchdogMs, null);
  });

  for (const count of ['-1', '1x', '65537', '1.5', ' 1']) {
    it(`is refused where LISTEN_FDS is ${JSON.stringify(count)}`, () => {
      const env = { LISTEN_PID: String(PID), LISTEN_FDS: count };
      assert.throws(() => takeHandedOver(env, PID), { code: 'EP_SOCKET_ACTIVATION', source: 'config' });
    });
  }
});

function listener(name: string, protocol: 'tcp' | 'udp', address: string, port: number): ListenerConfig {
  return { name, protocol, address: { address, port } } as ListenerConfig;
}

function socket(fd: number, name: string, protocol: 'tcp' | 'udp', address: string, port: number): HandedSocket {
  return { fd, name, protocol, address, port };
}

describe('sockets and listeners', () => {
  const listeners = [
    listener('web', 'tcp', '0.0.0.0', 80),
    listener('dns', 'udp', '0.0.0.0', 53),
    listener('alt', 'tcp', '::', 81),
  ];

  it('meet by protocol and address, or by name', () => {
    const { inherited, problems } = matchSockets(
      [
        socket(3, 'x', 'udp', '0.0.0.0', 53),
        socket(4, 'web', 'tcp', '::', 8080),
        socket(5, 'web', 'tcp', '::', 8080),
        socket(6, '', 'tcp', '::', 81),
      ],
      listeners,
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      inherited.map(({ wanted, boundAddress, boundPort, fds }) => [wanted.port, boundAddress, boundPort, fds]),
      [
        [53, '0.0.0.0', 53, [3]],
        [80, '::', 8080, [4, 5]],
        [81, '::', 81, [6]],
      ],
    );
    assert.equal(new Set(inherited.map(({ listenerId }) => listenerId)).size, 3);
  });

  it('that do not meet are named, all of them', () => {
    const { problems } = matchSockets(
      [
        socket(3, 'web', 'udp', '0.0.0.0', 80),
        socket(4, '', 'tcp', '0.0.0.0', 81),
        socket(5, 'web', 'tcp', '127.0.0.1', 80),
        socket(6, 'web', 'tcp', '127.0.0.2', 80),
      ],
      listeners,
    );
    assert.equal(problems.length, 3);
    assert.match(problems[0] ?? '', /^udp 0\.0\.0\.0:80 \(web\) is no listener of .* tcp \[::\]:81$/);
    assert.match(problems[2] ?? '', /tcp 127\.0\.0\.1:80 \(web\) and tcp 127\.0\.0\.2:80 \(web\) are both named web/);
    assert.match(matchSockets([socket(3, '', 'tcp', '::', 1)], []).problems[0] ?? '', /which has none$/);
  });
});
