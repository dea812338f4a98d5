/** Abort is abort: whoever resets, the other side sees a reset and no clean end, whatever the relay holds by then. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually } from '../support/eventually.js';
import type { Peer } from '../support/peer.js';
import { openDescriptors } from '../support/process-facts.js';
import { randomBuffer } from '../support/random-bytes.js';
import { forCopyAndSplice, type RelaySuite } from '../support/relay-suite.js';
import { settled } from '../support/settled.js';

const MOST_BYTES = 64 << 20;
const bulk = randomBuffer('abort', MOST_BYTES);

interface Roles {
  readonly name: string;
  /** Who resets, and who has to learn of it. */
  readonly of: (pair: { client: Peer; upstream: Peer }) => { aborter: Peer; victim: Peer };
  readonly reason: 'client_reset' | 'backend_reset';
}

const ROLES: readonly Roles[] = [
  { name: 'the client', of: ({ client, upstream }) => ({ aborter: client, victim: upstream }), reason: 'client_reset' },
  {
    name: 'the backend',
    of: ({ client, upstream }) => ({ aborter: upstream, victim: client }),
    reason: 'backend_reset',
  },
];

forCopyAndSplice((suite) => {
  for (const { name, of, reason } of ROLES) {
    const expectAbort = async (victim: Peer, act: () => void): Promise<void> => {
      const { counters } = suite().proxy;
      // Who resets before the relay has seen the connect succeed is a client that is gone, or a backend that refuses.
      const early = reason === 'client_reset' ? 'client_gone' : 'connect_failed';
      const aborts = (): number => counters.ended(reason) + counters.rejected(early);
      const before = aborts();
      act();
      assert.equal(await victim.ending(), 'ECONNRESET');
      await suite().atRest();
      assert.equal(aborts(), before + 1);
      await nothingPends(suite());
    };

    it(`${name} resets right after the connect`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} resets after an exchange`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      await aborter.write('ping');
      await victim.read(4);
      await victim.write('pong');
      await aborter.read(4);
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} resets in the middle of what it sends`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      aborter.socket.write(bulk);
      await victim.read(4 << 20);
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} resets in the middle of what it is sent`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      victim.socket.write(bulk);
      await aborter.read(4 << 20);
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} resets while both sides stream`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      aborter.socket.write(bulk);
      victim.socket.write(bulk);
      await Promise.all([aborter.read(4 << 20), victim.read(4 << 20)]);
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} resets while bytes from it wait for a reader that stalls`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      aborter.socket.write(bulk);
      await stallAfter(suite(), victim, 4 << 20);
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} resets while bytes wait for it, the reader that stalls`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      victim.socket.write(bulk);
      await stallAfter(suite(), aborter, 4 << 20);
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} closes with unread bytes, which is a reset`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      victim.socket.write(bulk);
      await stallAfter(suite(), aborter, 1 << 20);
      await expectAbort(victim, () => aborter.close());
    });

    it(`${name} ends and then resets: the end is passed on first, the reset after it`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      await aborter.end('last words');
      assert.equal((await victim.readToEnd()).toString(), 'last words');
      const before = suite().proxy.counters.ended(reason);
      aborter.reset();
      await suite().atRest();
      assert.equal(suite().proxy.counters.ended(reason), before + 1);
      await assert.rejects(writeUntilRefused(victim));
    });

    it(`${name} resets after the other has ended`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      await victim.end('that is all');
      assert.equal((await aborter.readToEnd()).toString(), 'that is all');
      await expectAbort(victim, () => aborter.reset());
    });

    it(`${name} closes while the other still sends: the other learns of it`, async (t) => {
      const { aborter, victim } = of(await suite().pair(t));
      await aborter.write('bye');
      await victim.read(3);
      aborter.close();
      assert.equal(await victim.ending(), 'end');
      await assert.rejects(writeUntilRefused(victim));
      await suite().atRest();
    });
  }

  it('leaves no descriptor and no byte behind', async (t) => {
    const { proxy } = suite();
    const [workerPid = 0] = proxy.workerPids;
    await suite().atRest();
    // Pipes stay pooled, two descriptors each.
    const ofConnections = (): number => openDescriptors(workerPid) - 2 * proxy.counters.gauges('SPLICE_PIPES');
    const before = ofConnections();
    for (let round = 0; round < 20; round++) {
      const { client, upstream } = await suite().pair(t);
      client.socket.write(bulk.subarray(0, 4 << 20));
      await upstream.read(1 << 20);
      (round % 2 === 0 ? client : upstream).reset();
    }
    await suite().atRest();
    await eventually('descriptors are closed', () => ofConnections() === before, { state: ofConnections });
    await nothingPends(suite());
  });
});

/** These gauges are written at the end of the worker's turn, after everything else. */
async function nothingPends({ proxy: { counters } }: RelaySuite): Promise<void> {
  const state = (): number[] => [counters.gauges('PENDING_BYTES'), counters.gauges('RELAYS_OPEN')];
  await eventually('nothing pends', () => state().every((value) => value === 0), { state });
}

/** Reads so many bytes, by which the relay has come up to speed, and then no more until the relay can move none either. */
async function stallAfter({ proxy }: RelaySuite, reader: Peer, bytes: number): Promise<void> {
  await reader.read(bytes);
  const moved = (): number => proxy.counters.total('BYTES_TO_CLIENTS') + proxy.counters.total('BYTES_FROM_CLIENTS');
  await settled('bytes moved while the reader stalls', moved);
}

/** The first write after a reset may still be taken by the kernel; one of the next is not. */
async function writeUntilRefused(peer: Peer): Promise<void> {
  for (let i = 0; i < 1000; i++) await peer.write('x');
}
