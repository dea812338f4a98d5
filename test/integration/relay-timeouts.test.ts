/** Every timer acts when it is due, not before, and resets both sides. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EndReason } from '../../src/domain/shared/layout.js';
import { blackhole } from '../support/dead-ends.js';
import { eventually } from '../support/eventually.js';
import { connectPeer, type Peer } from '../support/peer.js';
import { startProxy } from '../support/proxy-process.js';
import { relaySuite, type RelaySuite } from '../support/relay-suite.js';

const TIMEOUT_MS = 600;
/** Rounding of clocks: the relay's is read before the test's. */
const EARLY_MS = 5;
const secs = String(TIMEOUT_MS / 1000);

interface Pair {
  readonly client: Peer;
  readonly upstream: Peer;
}

describe('idle timeout', () => {
  const suite = relaySuite({ env: { EDGEPROXY_IDLE_TIMEOUT_SECS: secs } });

  it('resets a connection on which nothing happens', async (t) => {
    await expectResets(suite(), 'idle_timeout', () => suite().pair(t));
  });

  it('counts from the last byte, in either direction', async (t) => {
    await expectResets(suite(), 'idle_timeout', async (startMs) => {
      const pair = await suite().pair(t);
      const { client, upstream } = pair;
      const there = (): Promise<void> => passByte(client, upstream);
      const back = (): Promise<void> => passByte(upstream, client);
      const isInTime = await apart(startMs, [there, back, there, back, there, back]);
      return isInTime && pair;
    });
  });

  it('also ends a connection whose reader has stalled for that long', async (t) => {
    const before = suite().proxy.counters.ended('idle_timeout');
    const { client, upstream } = await suite().pair(t);
    client.socket.write(Buffer.alloc(64 << 20));
    await upstream.read(1 << 20);
    assert.equal(await client.ending(), 'ECONNRESET');
    await suite().atRest();
    assert.equal(suite().proxy.counters.ended('idle_timeout'), before + 1);
  });
});

describe('half-close timeout', () => {
  const suite = relaySuite({ env: { EDGEPROXY_HALF_CLOSE_TIMEOUT_SECS: secs } });

  it('resets what is left when one side has ended and the other does nothing', async (t) => {
    for (const side of ['client', 'upstream'] as const) {
      const pair = await suite().pair(t);
      const ender = pair[side];
      const other = side === 'client' ? pair.upstream : pair.client;
      const before = suite().proxy.counters.ended('half_close_timeout');
      const startMs = performance.now();
      await ender.end('done');
      assert.equal((await other.readToEnd()).toString(), 'done');
      assert.equal(await ender.ending(), 'ECONNRESET');
      assert.ok(performance.now() - startMs >= TIMEOUT_MS - EARLY_MS);
      await suite().atRest();
      assert.equal(suite().proxy.counters.ended('half_close_timeout'), before + 1);
    }
  });

  it('leaves alone whoever goes on sending, and connections that nobody has ended', async (t) => {
    const whole = await suite().pair(t);
    await eventually('a half-closed connection is used in time', async () => {
      const startMs = performance.now();
      const { client, upstream } = await suite().pair(t);
      await client.end();
      const back = (): Promise<void> => passByte(upstream, client);
      const end = async (): Promise<void> => {
        await upstream.end();
        assert.equal((await client.readToEnd()).length, 0);
      };
      return apart(startMs, [back, back, back, back, back, end]);
    });
    await whole.client.write('alive');
    assert.equal((await whole.upstream.read(5)).toString(), 'alive');
    whole.client.reset();
    assert.equal(await whole.upstream.ending(), 'ECONNRESET');
    await suite().atRest();
  });
});

describe('lifetime', () => {
  const suite = relaySuite({ env: { EDGEPROXY_MAX_LIFETIME_SECS: secs } });

  it('ends a connection at its age, however busy it is', async (t) => {
    const { counters } = suite().proxy;
    const before = counters.ended('max_lifetime');
    const { client, upstream } = await suite().pair(t);
    let isOver = false;
    const chat = (async () => {
      for (let i = 0; !isOver; i++) {
        await client.write('.');
        await upstream.read(1);
        await delay(10);
      }
    })().catch(() => undefined);
    assert.equal(await client.ending(), 'ECONNRESET');
    isOver = true;
    await chat;
    await suite().atRest();
    assert.equal(counters.ended('max_lifetime'), before + 1);
  });
});

describe('without timeouts', () => {
  const suite = relaySuite({
    env: { EDGEPROXY_IDLE_TIMEOUT_SECS: '0', EDGEPROXY_HALF_CLOSE_TIMEOUT_SECS: '0', EDGEPROXY_MAX_LIFETIME_SECS: '0' },
  });

  it('a connection stays, whole or half closed', async (t) => {
    const { client, upstream } = await suite().pair(t);
    await client.end();
    await delay(3 * TIMEOUT_MS);
    await upstream.write('still here');
    assert.equal((await client.read(10)).toString(), 'still here');
    await upstream.end();
    assert.equal((await client.readToEnd()).length, 0);
  });
});

describe('connect timeout', () => {
  it('ends the attempt when it is due, not before', async (t) => {
    const proxy = await startProxy(t, {
      backends: [await blackhole(t)],
      env: { EDGEPROXY_CONNECT_TIMEOUT_MS: String(TIMEOUT_MS) },
    });
    const startMs = performance.now();
    const client = await connectPeer(t, proxy);
    assert.equal(await client.ending(), 'ECONNRESET');
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs >= TIMEOUT_MS - EARLY_MS, `${tookMs} ms`);
    assert.equal(proxy.counters.rejected('connect_failed'), 1);
  });
});

async function passByte(from: Peer, to: Peer): Promise<void> {
  await from.write('.');
  await to.read(1);
}

/** Does one after the other, a third of the timeout apart; false where this machine was too busy to do so in time. */
async function apart(startMs: number, steps: readonly (() => Promise<void>)[]): Promise<boolean> {
  let quietSinceMs = startMs;
  for (const step of steps) {
    await delay(TIMEOUT_MS / 3);
    const stepMs = performance.now();
    try {
      await step();
    } catch (error) {
      if (performance.now() - quietSinceMs < TIMEOUT_MS) throw error;
      return false;
    }
    quietSinceMs = stepMs;
  }
  return true;
}

/** Both sides are reset, no sooner than the timeout after they began; `begin` may ask to be tried again. */
async function expectResets(
  suite: RelaySuite,
  reason: EndReason,
  begin: (startMs: number) => Promise<Pair | false>,
): Promise<void> {
  const { counters } = suite.proxy;
  const { client, upstream, before, startMs } = await eventually('a connection is used in time', async () => {
    const before = counters.ended(reason);
    const startMs = performance.now();
    const pair = await begin(startMs);
    return pair && { ...pair, before, startMs };
  });
  assert.deepEqual(await Promise.all([client.ending(), upstream.ending()]), ['ECONNRESET', 'ECONNRESET']);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs >= TIMEOUT_MS - EARLY_MS, `${tookMs} ms`);
  await suite.atRest();
  assert.equal(counters.ended(reason), before + 1);
}
