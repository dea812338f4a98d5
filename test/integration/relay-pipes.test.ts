/** Pipes are a budget: what is not there is copied, counted, and nobody notices. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.js';
import { connectPeer } from '../support/peer.js';
import { hoardPipes, pipesOf, pipesOfOneUser } from '../support/pipe-hoard.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from '../support/proxy-process.js';
import { randomBuffer } from '../support/random-bytes.js';
import { startBackend, type TcpBackend } from '../support/tcp-backend.js';

const BULK_BYTES = 32 << 20;
const bulk = randomBuffer('pipes', BULK_BYTES);
const SMALL_PIPES_LEFT = 10;
/** Nobody's, so that its share of pipes is this test's alone. */
const UID = 61_000 + (process.pid % 1000);
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

describe('EDGEPROXY_SPLICE', () => {
  it('off never makes a pipe', async (t) => {
    const { proxy, backend } = await start(t, { env: { EDGEPROXY_SPLICE: 'off' } });
    await transferBothWays(t, proxy, backend, () => assert.equal(proxy.counters.gauges('SPLICE_PIPES'), 0));
    assert.equal(proxy.counters.total('SPLICE_FALLBACKS'), 0);
  });

  it('on makes one for each direction that streams, and none for messages', async (t) => {
    const { proxy, backend } = await start(t, { env: { EDGEPROXY_SPLICE: 'on' } });
    const client = await connectPeer(t, proxy);
    const upstream = await backend.nextPeer();
    for (let i = 0; i < 200; i++) {
      await client.write('small');
      await upstream.read(5);
    }
    assert.equal(proxy.counters.gauges('SPLICE_PIPES'), 0);
    client.close();
    await transferBothWays(t, proxy, backend);
    const pipes = proxy.counters.gauges('SPLICE_PIPES');
    assert.ok(pipes >= 1 && pipes <= 2, `${pipes} pipes`);
    assert.equal(proxy.counters.total('SPLICE_FALLBACKS'), 0);
  });

  it('on uses the same pipes again', async (t) => {
    const { proxy, backend } = await start(t, { env: { EDGEPROXY_SPLICE: 'on' } });
    for (let i = 0; i < 8; i++) await transferBothWays(t, proxy, backend);
    assert.ok(proxy.counters.gauges('SPLICE_PIPES') <= 2);
  });
});

describe('EDGEPROXY_MAX_PIPES', () => {
  for (const maxPipes of [0, 1]) {
    it(`${maxPipes} is kept to; what goes beyond is copied and counted`, async (t) => {
      const { proxy, backend } = await start(t, { env: { EDGEPROXY_MAX_PIPES: String(maxPipes) } });
      const look = (): void => assert.ok(proxy.counters.gauges('SPLICE_PIPES') <= maxPipes);
      await Promise.all([1, 2, 3].map(() => transferBothWays(t, proxy, backend, look)));
      assert.equal(proxy.counters.gauges('SPLICE_PIPES'), maxPipes);
      assert.ok(proxy.counters.total('SPLICE_FALLBACKS') > 0);
    });
  }
});

describe('a user without privileges', { skip: whyNotAnotherUser() }, () => {
  it('runs the proxy, and splices within his share', async (t) => {
    const { proxy, backend } = await start(t, { uid: UID });
    await transferBothWays(t, proxy, backend);
    assert.ok(proxy.counters.gauges('SPLICE_PIPES') >= 1);
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });

  it('whose share has no room for large pipes splices through small ones', async (t) => {
    const { proxy, backend } = await start(t, { uid: UID });
    // Room for a few pipes of the default 64 KiB, and for none of 1 MiB.
    await hoardPipes(t, UID, pipesOfOneUser() - pipesOf(proxy.pids) - SMALL_PIPES_LEFT);
    await transferBothWays(t, proxy, backend);
    const pipes = proxy.counters.gauges('SPLICE_PIPES');
    assert.ok(pipes >= 1 && pipes <= 2, `${pipes} pipes`);
    assert.equal(proxy.counters.total('SPLICE_FALLBACKS'), 0);
  });

  it('whose share is used up copies, counts it, and splices once there are pipes again', async (t) => {
    const release = await hoardPipes(t, UID, pipesOfOneUser());
    const { proxy, backend } = await start(t, { uid: UID });
    await transferBothWays(t, proxy, backend);
    assert.equal(proxy.counters.gauges('SPLICE_PIPES'), 0);
    assert.ok(proxy.counters.total('SPLICE_FALLBACKS') > 0);
    await release();
    // The relay does not ask again for a second.
    await eventually('a pipe is made', async () => {
      await transferBothWays(t, proxy, backend);
      return proxy.counters.gauges('SPLICE_PIPES') > 0;
    });
  });
});

interface Started {
  readonly proxy: ProxyProcess;
  readonly backend: TcpBackend;
}

async function start(t: TestContext, options: ProxyOptions): Promise<Started> {
  const backend = await startBackend(t);
  const proxy = await startProxy(t, { workers: 1, backends: [{ port: backend.port }], ...options });
  return { proxy, backend };
}

/** The same bytes up and down at once, over a connection of its own; `look` is called in the middle. */
async function transferBothWays(
  t: TestContext,
  proxy: ProxyProcess,
  backend: TcpBackend,
  look?: () => void,
): Promise<void> {
  const client = await connectPeer(t, proxy);
  const upstream = await backend.nextPeer();
  const sent = [client.end(bulk), upstream.end(bulk)];
  const [down, up] = await Promise.all([client.read(BULK_BYTES / 2), upstream.read(BULK_BYTES / 2)]);
  look?.();
  const [downRest, upRest] = await Promise.all([client.readToEnd(), upstream.readToEnd()]);
  await Promise.all(sent);
  assert.ok(
    Buffer.concat([down, downRest]).equals(bulk) && Buffer.concat([up, upRest]).equals(bulk),
    'bytes are right',
  );
}

function whyNotAnotherUser(): string | false {
  if (process.getuid?.() !== 0) return 'only root can run a process as somebody else';
  const program = `require('node:fs').accessSync(${JSON.stringify(MAIN)}, ${constants.R_OK})`;
  const { status } = spawnSync(process.execPath, ['-e', program], { uid: UID, gid: UID, cwd: '/' });
  return status === 0 ? false : 'another user cannot read this directory';
}
