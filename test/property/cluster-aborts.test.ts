/**
 * However clients and backends behave, the proxy is afterwards what it was before: descriptors, places, shares, pipes and
 * bytes are all given back, and every client that was accepted is counted once as ended or rejected.
 */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { END_REASONS, REJECT_REASONS } from '../../src/domain/shared/layout.js';
import type { ClientOrders, ClientReport } from '../fixtures/random-clients.js';
import { refused } from '../support/dead-ends.js';
import { eventually, within } from '../support/eventually.js';
import { openDescriptors } from '../support/process-facts.js';
import { startProxy, type ProxyProcess } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';

const TIME_LIMIT = { timeout: 480_000 };
const RUN_MS = 200_000;
const BACKENDS = 6;
const CLIENT_PROCESSES = 2;
const WARM_UP = 1000;
const KILLS = 6;
const BETWEEN_KILLS_MS = 100;
const LOOK_MS = 5;
/** To be repeated with the seed that a failure names. */
const SEED = Number(process.env['TEST_SEED'] ?? randomInt(1, 2 ** 31));

const modes = [
  { accept: 'handoff', connections: 60_000, connectionsWithKills: 10_000 },
  { accept: 'reuseport', connections: 40_000, connectionsWithKills: 10_000 },
] as const;

function startProgram(owner: Owner, name: string, args: readonly number[]): ChildProcess {
  const path = fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
  const child = fork(path, args.map(String), { execArgv: ['--import', 'tsx'] });
  owner.after(() => {
    child.kill('SIGKILL');
  });
  return child;
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [answer] = (await within('a program answers', once(child, 'message'), RUN_MS)) as [T];
  return answer;
}

async function runClients(clients: readonly ChildProcess[], port: number, connections: number): Promise<void> {
  const reports = await Promise.all(
    clients.map((child) => {
      child.send({ port, connections: Math.ceil(connections / clients.length) } satisfies ClientOrders);
      return answerOf<ClientReport>(child);
    }),
  );
  for (const { failed } of reports)
    assert.deepEqual(
      Object.keys(failed).filter((code) => code !== 'ECONNRESET'),
      [],
    );
}

/** Descriptors by process, without those of pooled pipes, which stay for the next stream. */
function descriptorsOf(proxy: ProxyProcess): number[] {
  const workers = proxy.workerPids.map(
    (pid, worker) => openDescriptors(pid) - 2 * proxy.counters.gauge(worker, 'SPLICE_PIPES'),
  );
  return [openDescriptors(proxy.pid), ...workers];
}

/** The last successor of a killed worker may still be reading what it was sent, and anybody may read a file for a moment. */
async function descriptorsAsBefore(proxy: ProxyProcess, before: readonly number[]): Promise<void> {
  const state = (): object => ({ now: descriptorsOf(proxy), before });
  await eventually('descriptors are as before', () => isDeepStrictEqual(descriptorsOf(proxy), before), { state });
}

/** The most pipes that were there at a look. Who aborts a spliced stream takes its pipe along: at the end there may be none. */
function mostPipes(owner: Owner, { counters }: ProxyProcess): () => number {
  let most = 0;
  const looking = setInterval(() => (most = Math.max(most, counters.gauges('SPLICE_PIPES'))), LOOK_MS);
  owner.after(() => clearInterval(looking));
  return () => most;
}

function endedOrRejected({ counters }: ProxyProcess): number {
  const ended = END_REASONS.reduce((sum, reason) => sum + counters.ended(reason), 0);
  return ended + REJECT_REASONS.reduce((sum, reason) => sum + counters.rejected(reason), 0);
}

/** A worker that was killed leaves clients that it could count no more. */
async function atRest(proxy: ProxyProcess, wasKilled = false): Promise<void> {
  const state = (): object => ({
    ...proxy.counters.held(BACKENDS + 1),
    open: proxy.counters.gauges('RELAYS_OPEN'),
    pendingBytes: proxy.counters.gauges('PENDING_BYTES'),
    uncounted: wasKilled ? 0 : proxy.counters.total('ACCEPTED') - endedOrRejected(proxy),
  });
  const isAtRest = (): boolean => Object.values(state()).every((count) => count === 0);
  await eventually('everything is given back', isAtRest, { state });
}

interface World {
  readonly proxy: ProxyProcess;
  readonly run: (connections: number) => Promise<void>;
}

/** A proxy that has seen every kind of connection already, before several backends of which one refuses. */
async function startWorld(owner: Owner, accept: 'handoff' | 'reuseport'): Promise<World> {
  const backends = startProgram(owner, 'random-backends.ts', [BACKENDS, SEED]);
  const ports = [...(await answerOf<number[]>(backends)), (await refused()).port];
  const env = { EDGEPROXY_DB_RELOAD_SECS: '600' };
  const proxy = await startProxy(owner, { accept, backends: ports.map((port) => ({ port })), env });
  const clients = Array.from({ length: CLIENT_PROCESSES }, (_, index) =>
    startProgram(owner, 'random-clients.ts', [SEED + 1 + index]),
  );
  const run = (connections: number): Promise<void> => runClients(clients, proxy.port, connections);
  await run(WARM_UP);
  await atRest(proxy);
  return { proxy, run };
}

/** Kills the workers in turn, each as soon as it takes clients again. */
async function killWorkers(proxy: ProxyProcess, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill++) {
    const index = kill % proxy.workerPids.length;
    const victim = proxy.workerPids[index] ?? 0;
    await delay(BETWEEN_KILLS_MS);
    process.kill(victim, 'SIGKILL');
    await eventually('a successor takes clients', () => proxy.workerPids[index] !== victim);
  }
}

for (const { accept, connections, connectionsWithKills } of modes) {
  describe(`random aborts, ${accept}`, TIME_LIMIT, () => {
    it(`leave nothing behind after ${connections} connections`, async (t) => {
      t.diagnostic(`TEST_SEED=${SEED}`);
      const { proxy, run } = await startWorld(t, accept);
      const descriptors = descriptorsOf(proxy);
      const pipes = mostPipes(t, proxy);
      const { pids } = proxy;
      const before = proxy.counters.total('ACCEPTED');
      await run(connections);
      await atRest(proxy);
      assert.equal(proxy.counters.total('ACCEPTED') - before, connections);
      await descriptorsAsBefore(proxy, descriptors);
      assert.deepEqual(proxy.pids, pids);
      for (const reason of ['finished', 'client_reset', 'backend_reset'] as const) {
        assert.ok(proxy.counters.ended(reason) > connections / 100, `hardly any connection ended by ${reason}`);
      }
      assert.ok(pipes() > 0, 'nothing was spliced');
    });

    it('leave nothing behind where workers are killed meanwhile, and refuse nobody', async (t) => {
      t.diagnostic(`TEST_SEED=${SEED}`);
      const { proxy, run } = await startWorld(t, accept);
      const descriptors = descriptorsOf(proxy);
      await Promise.all([run(connectionsWithKills), killWorkers(proxy, KILLS)]);
      await atRest(proxy, true);
      await descriptorsAsBefore(proxy, descriptors);
      assert.ok(proxy.counters.total('ACCEPTED') > connectionsWithKills);
    });
  });
}
