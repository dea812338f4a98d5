import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import type { ListenAddress } from '../../src/application/listener-config.js';
import type { AcceptMode } from '../../src/application/proxy-config.js';
import { ListeningSockets } from '../../src/cluster/listening-sockets.js';
import { MAX_LISTENERS } from '../../src/domain/shared/layout.js';
import { freePort } from '../support/free-port.js';
import { tcpEntries } from '../support/tcp-table.js';

const native = loadNativeAddon();
const ANY: ListenAddress = { address: '127.0.0.1', port: 0 };

function open(t: TestContext, addresses: readonly ListenAddress[], accept: AcceptMode = 'handoff'): ListeningSockets {
  const sockets = new ListeningSockets(native, { addresses, accept, workers: 2, backlog: 16 });
  t.after(() => sockets.close());
  return sockets;
}

async function isOpen(port: number): Promise<boolean> {
  const client = connect(port, '127.0.0.1');
  try {
    await once(client, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    client.destroy();
  }
}

function portOf(sockets: ListeningSockets, at: number): number {
  return sockets.bound[at]?.port ?? 0;
}

function listenersOn(port: number): number {
  return tcpEntries(port).filter(({ localPort, state }) => localPort === port && state === 'listen').length;
}

for (const accept of ['handoff', 'reuseport'] as const) {
  describe(`a change of addresses, ${accept}`, () => {
    it('keeps socket and id of what stays, in whatever order it is named', async (t) => {
      const [one, two] = [await freePort(t), await freePort(t)].map((port) => ({ address: '127.0.0.1', port }));
      assert.ok(one && two);
      const sockets = open(t, [one, two], accept);
      const [first, second] = sockets.listeners;
      const change = sockets.replace([two, ANY, one]);
      assert.deepEqual(change.removed, []);
      assert.deepEqual([sockets.listeners[0], sockets.listeners[2]], [second, first]);
      assert.deepEqual(
        change.added.map(({ id }) => id),
        [2],
      );
      assert.equal(change.added[0]?.sockets.length, accept === 'handoff' ? 1 : 2);
      sockets.carryOut();
      assert.equal(sockets.of(0).length, accept === 'handoff' ? 0 : 3);
    });

    it('gives workers the old sockets until it is carried out, and can be undone until then', async (t) => {
      const [stays, goes, comes] = [await freePort(t), await freePort(t), await freePort(t)].map((port) => {
        return { address: '127.0.0.1', port };
      });
      assert.ok(stays && goes && comes);
      const sockets = open(t, [stays, goes], accept);
      const [listeners, ofWorker] = [sockets.listeners, sockets.of(0)];
      sockets.undo(sockets.replace([stays, comes]));
      assert.equal(sockets.listeners, listeners);
      assert.deepEqual([await isOpen(goes.port), await isOpen(comes.port)], [true, false]);
      const { added } = sockets.replace([stays, comes]);
      assert.equal(added.length, 1, 'the same change once more is the same');
      assert.deepEqual(sockets.of(0), ofWorker);
      sockets.carryOut();
      const mayHave = new Set(sockets.listeners.map(({ id }) => id));
      assert.ok(sockets.of(0).every(({ listenerId }) => mayHave.has(listenerId)));
      assert.equal(sockets.of(0).length, ofWorker.length);
    });

    it('leaves what goes open until it is released, and keeps its id from others until then', async (t) => {
      const sockets = open(t, [ANY], accept);
      const port = portOf(sockets, 0);
      const other = { address: '127.0.0.1', port: await freePort(t) };
      const [removed] = sockets.replace([other]).removed;
      assert.ok(removed);
      assert.equal(await isOpen(port), true);
      assert.deepEqual(
        sockets.listeners.map(({ id }) => id),
        [1],
      );
      sockets.release(removed);
      sockets.release(removed);
      assert.equal(await isOpen(port), false);
    });

    it('changes nothing where one address cannot be had', async (t) => {
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      t.after(() => taken.close());
      const sockets = open(t, [ANY], accept);
      const before = sockets.listeners;
      const wanted = { address: '127.0.0.1', port: await freePort(t) };
      const { port } = taken.address() as AddressInfo;
      assert.throws(() => sockets.replace([wanted, { address: '127.0.0.1', port }]), {
        code: 'EP_LISTEN',
        message: new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE .another program`),
      });
      assert.equal(sockets.listeners, before);
      assert.equal(await isOpen(wanted.port), false);
    });

    it('says so where the address in the way is its own', async (t) => {
      const port = await freePort(t);
      const sockets = open(t, [{ address: '127.0.0.1', port }], accept);
      assert.throws(() => sockets.replace([{ address: '0.0.0.0', port }]), {
        message: /this proxy still listens on 127\.0\.0\.1:\d+, which has to be gone first/,
      });
    });
  });
}

describe('sockets beside inherited ones', () => {
  it('have their address at once and clients only when told to listen', async (t) => {
    const old = open(t, [ANY], 'reuseport');
    const port = portOf(old, 0);
    const other = { address: '127.0.0.1', port: await freePort(t) };
    // A process has a descriptor of its own for each; here they are the same, so only the new ones are closed.
    const inherited = old.toInherit();
    const options = { addresses: [ANY, other], accept: 'reuseport', workers: 4, backlog: 16, inherited } as const;
    const sockets = new ListeningSockets(native, options);
    const fresh = sockets.listeners.flatMap(({ sockets: all }) => all.map(({ fd }) => fd));
    t.after(() => {
      for (const fd of fresh.filter((each) => inherited[0]?.fds.includes(each) !== true)) native.closeFd(fd);
    });
    assert.equal(portOf(sockets, 0), port);
    assert.equal(fresh.length, 8);
    assert.equal(await isOpen(other.port), false);
    assert.equal(listenersOn(port), 2);
    sockets.listen();
    sockets.listen();
    assert.equal(listenersOn(port), 4);
    assert.equal(await isOpen(other.port), true);
  });
});

describe('ids of listeners', () => {
  it('go round, so that one is used again as late as can be', (t) => {
    const sockets = open(t, [ANY]);
    const ids: number[] = [];
    for (let i = 0; i < MAX_LISTENERS + 2; i++) {
      const { added, removed } = sockets.replace([{ address: '127.0.0.1', port: 0 }, ANY]);
      for (const listener of [...removed, ...added]) ids.push(listener.id);
      for (const listener of sockets.replace([ANY]).removed) sockets.release(listener);
    }
    assert.deepEqual(ids.slice(0, 3), [1, 2, 3]);
    assert.ok(!ids.includes(0), 'the id of a listener that stays was given away');
    assert.equal(Math.max(...ids), MAX_LISTENERS - 1);
  });

  it('run out where none of so many has gone yet, and then nothing changes', (t) => {
    const all = Array.from({ length: MAX_LISTENERS }, () => ANY);
    const sockets = open(t, all);
    const before = sockets.listeners;
    assert.throws(() => sockets.replace([...all, ANY]), { code: 'EP_LISTEN', message: /64 listeners/ });
    assert.equal(sockets.listeners, before);
  });
});
