/** Ten thousand connections open at once, each of them alive. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { atRest } from '../support/at-rest.js';
import { ClientSwarm } from '../support/client-swarm.js';
import { eventually } from '../support/eventually.js';
import { openDescriptors } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { settled } from '../support/settled.js';
import { startBackend, type Behaviour } from '../support/tcp-backend.js';

const CONNECTIONS = 10_000;
const SWARMS = 2;
const ROUNDS = 3;
/** Both ends of a connection through a worker, for half of them, and the backend's ends in this process. */
const NEEDED_DESCRIPTORS = CONNECTIONS + 1000;

/** Lighter than a pipeline per connection. */
const plainEcho: Behaviour = ({ socket }) => {
  socket.on('data', (bytes) => socket.write(bytes));
  socket.on('end', () => socket.end());
};

const { hard } = loadNativeAddon().raiseFileLimit();
const skip = hard < NEEDED_DESCRIPTORS ? `RLIMIT_NOFILE is ${hard}` : false;

describe('10,000 connections at once', { skip }, () => {
  for (const accept of ['handoff', 'reuseport'] as const) {
    it(`(${accept}) each exchange their own bytes, and leave nothing behind`, { timeout: 300_000 }, async (t) => {
      const backend = await startBackend(t, plainEcho);
      const proxy = await startProxy(t, { workers: 2, accept, backends: [{ port: backend.port }] });
      const { counters, workerPids } = proxy;
      const slot = counters.slotOf(backend.port);
      const descriptors = (): number => workerPids.reduce((sum, pid) => sum + openDescriptors(pid), 0);
      // Listeners and the geo database may still be on their way to the workers.
      const before = await settled('descriptors of workers that have just started', descriptors);

      const swarms = Array.from({ length: SWARMS }, () => new ClientSwarm(t));
      const all = async (command: (swarm: ClientSwarm) => Promise<number>): Promise<number> => {
        const counts = await Promise.all(swarms.map(command));
        return counts.reduce((sum, count) => sum + count, 0);
      };
      assert.equal(await all((swarm) => swarm.connect(proxy.port, CONNECTIONS / SWARMS)), CONNECTIONS);
      await eventually('all are relayed', () => counters.backendTotal(slot, 'CONNECTIONS') === CONNECTIONS);
      for (let round = 0; round < ROUNDS; round++) {
        assert.equal(await all((swarm) => swarm.exchange(round)), CONNECTIONS, `round ${round}`);
      }

      assert.deepEqual(counters.held(slot + 1), { active: CONNECTIONS, shares: CONNECTIONS, connections: CONNECTIONS });
      if (accept === 'handoff') {
        for (const worker of [0, 1])
          assert.ok(Math.abs(counters.share(worker, slot) - CONNECTIONS / 2) <= CONNECTIONS / 50);
      }
      // Counted after they are sent: a client may be faster than the worker's next line.
      const bytes = (): number[] => [counters.total('BYTES_TO_CLIENTS'), counters.total('BYTES_FROM_CLIENTS')];
      await eventually('as many bytes come as go', () => bytes()[0] === bytes()[1], { state: bytes });
      assert.equal(counters.gauges('SPLICE_PIPES'), 0, 'small messages need no pipe');

      assert.equal(await all((swarm) => swarm.leave({ mayReset: true })), CONNECTIONS);
      await atRest(proxy, slot + 1);
      await eventually('descriptors are closed', () => descriptors() === before, {
        state: descriptors,
      });
      assert.equal(counters.ended('finished') + counters.ended('client_reset'), CONNECTIONS);
    });
  }
});
