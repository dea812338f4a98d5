/** Pages over workers that answer as they should, late, or not at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConnectionCursor, ConnectionFilter } from '../../src/application/ports/connections.js';
import { BackendNames } from '../../src/cluster/backend-names.js';
import { ConnectionDirectory } from '../../src/cluster/connection-directory.js';
import type { ConnectionAnswer, ConnectionQuestion, WorkerConnection } from '../../src/cluster/connection-questions.js';
import { parseCidr } from '../../src/domain/cidr.js';
import { regionTable } from '../../src/domain/regions.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { WORKER } from '../../src/domain/shared/layout.js';
import { RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { backend, newRegion } from '../support/routing-rig.js';

const START: ConnectionCursor = { worker: 0, position: 0 };
const LIFE = 0xabc;

function row(index: number, changes: Partial<WorkerConnection> = {}): WorkerConnection {
  return {
    life: LIFE,
    isUdp: false,
    index,
    generation: 1,
    state: 'relaying',
    listener: 3,
    clientAddress: '192.0.2.1',
    clientPort: 4000 + index,
    slot: -1,
    owner: 0,
    backendAddress: '',
    backendPort: 0,
    rule: '',
    serverName: '',
    ageMs: 10,
    idleMs: 5,
    bytesToClient: 2,
    bytesFromClient: 1,
    ...changes,
  };
}

/** Workers with so many connections each; null stands for one that does not answer. */
class Rig {
  readonly region = newRegion().region;
  readonly backends = new BackendNames(this.region);
  readonly asked: [number, ConnectionQuestion][] = [];
  readonly directory: ConnectionDirectory;
  nowMs = 0;
  answerMs = 0;

  constructor(workers: readonly (readonly WorkerConnection[] | null)[]) {
    this.directory = new ConnectionDirectory({
      region: this.region,
      supervisor: {
        lives: workers.map((_, index) => ({ index, pid: 1, isReady: true, isAdmitted: true })),
        ask: (worker, question) => {
          this.asked.push([worker, question]);
          this.nowMs += this.answerMs;
          return Promise.resolve(answerOf(workers[worker] ?? null, question));
        },
      },
      backends: this.backends,
      listenerNames: () => new Map([[3, 'web']]),
      nowMs: () => this.nowMs,
    });
  }

  /** Publishes one backend, b0; returns its slot. */
  publish(): number {
    const writer = new RoutesWriter(this.region, new BindingTable(this.region));
    const { published } = writer.publish([backend('b0', { address: '10.0.0.1', port: 80 })], regionTable(), 'sa');
    this.backends.use(published);
    return published[0]?.slot ?? -1;
  }

  async ids(limit: number, filter: ConnectionFilter = {}): Promise<string[][]> {
    const pages: string[][] = [];
    for (let from: ConnectionCursor | null = START; from !== null;) {
      const page = await this.directory.list(filter, from, limit);
      pages.push(page.connections.map(({ id }) => id));
      from = page.next;
    }
    return pages;
  }
}

function answerOf(rows: readonly WorkerConnection[] | null, question: ConnectionQuestion): ConnectionAnswer | null {
  if (rows === null) return null;
  if (question.ask === 'kill') {
    const { index, generation, life } = question.connection;
    const isThere = rows.some((it) => it.index === index && it.generation === generation && it.life === life);
    return { count: isThere ? 1 : 0, next: -1, connections: [] };
  }
  // A worker's own bound is lower than what may be asked for.
  const page = rows.slice(question.from, question.from + Math.min(question.most, 3));
  const next = question.from + page.length;
  const isKill = question.ask === 'killMany';
  return { count: page.length, next: next < rows.length ? next : -1, connections: isKill ? [] : page };
}

describe('ConnectionDirectory', () => {
  it('goes through all workers, page by page, each connection once', async () => {
    const rig = new Rig([[0, 1, 2, 3, 4].map((i) => row(i)), [], [row(9)]]);
    const all = [
      '0-00000abc-0-1',
      '0-00000abc-1-1',
      '0-00000abc-2-1',
      '0-00000abc-3-1',
      '0-00000abc-4-1',
      '2-00000abc-9-1',
    ];
    for (const limit of [1, 2, 4, 5, 6, 100]) {
      const pages = await rig.ids(limit);
      assert.deepEqual(pages.flat(), all);
      assert.ok(pages.every((page) => page.length <= limit));
    }
    assert.deepEqual((await rig.ids(100, { worker: 2 })).flat(), all.slice(5));
  });

  it('tells what it knows, and a backend by its id as long as its slot is its own', async () => {
    const rig = new Rig([[]]);
    const slot = rig.publish();
    const known = new Rig([
      [
        row(0, { slot, backendAddress: '10.9.9.9', backendPort: 81, rule: 'r', serverName: 'a.example' }),
        row(1, { slot, state: 'connecting' }),
        row(2, { slot, owner: 5 }),
        row(3, { isUdp: true, listener: 4, backendPort: 0 }),
      ],
    ]);
    known.publish();
    const { connections } = await known.directory.list({}, START, 10);
    const [first, second, third, fourth] = connections;
    assert.deepEqual(first, {
      id: '0-00000abc-0-1',
      worker: 0,
      protocol: 'tcp',
      state: 'relaying',
      listener: 'web',
      clientAddress: '192.0.2.1',
      clientPort: 4000,
      backend: { id: 'b0', slot, address: '10.9.9.9', port: 81 },
      rule: 'r',
      serverName: 'a.example',
      ageMs: 10,
      idleMs: 5,
      bytesToClient: 2,
      bytesFromClient: 1,
    });
    assert.deepEqual(second?.backend, { id: 'b0', slot, address: '10.0.0.1', port: 80 });
    assert.deepEqual(third?.backend, { id: null, slot, address: '', port: 0 });
    assert.deepEqual([fourth?.id, fourth?.protocol, fourth?.listener], ['0-00000abc-u3-1', 'udp', '']);
  });

  it('has workers filter', async () => {
    const rig = new Rig([[row(0)]]);
    const slot = rig.publish();
    const network = parseCidr('192.0.2.0/24');
    assert.ok(network.isValid);
    await rig.directory.list({ backend: 'b0', listener: 'web', client: network.cidr }, START, 10);
    const [, question] = rig.asked[0] ?? [];
    assert.ok(question?.ask === 'list');
    assert.deepEqual(question.filter, {
      slot,
      owner: 0,
      listener: 3,
      prefixBits: 120,
      network: [0, 0, 0xffff, 0xc0000200],
    });
    for (const filter of [{ backend: 'none' }, { listener: 'none' }])
      assert.deepEqual((await rig.directory.list(filter, START, 10)).connections, []);
    assert.equal(rig.asked.length, 1);
  });

  it('names a worker that does not answer, and does not even ask one that is known to stand still', async () => {
    const rig = new Rig([[row(0)], null, [row(2)], [row(3)]]);
    Atomics.store(rig.region.words, rig.region.workerAt(3) + WORKER.STALLED, 1);
    const { connections, missingWorkers } = await rig.directory.list({}, START, 10);
    assert.deepEqual(
      connections.map(({ worker }) => worker),
      [0, 2],
    );
    assert.deepEqual(missingWorkers, [1, 3]);
    assert.ok(rig.asked.every(([worker]) => worker !== 3));
    assert.deepEqual(await rig.directory.killMany({}, 10), { killed: 2, isPartial: false, missingWorkers: [1, 3] });
  });

  it('stops when it has taken long, and says where to go on', async () => {
    const rig = new Rig([[0, 1, 2, 3, 4, 5, 6].map((i) => row(i))]);
    rig.answerMs = 2000;
    const page = await rig.directory.list({}, START, 100);
    assert.equal(page.connections.length, 6);
    assert.deepEqual(page.next, { worker: 0, position: 6 });
    rig.nowMs = 0;
    assert.deepEqual(await rig.directory.killMany({}, 100), { killed: 6, isPartial: true, missingWorkers: [] });
  });

  it('kills one by its id alone', async () => {
    const rig = new Rig([[row(0)], null]);
    assert.equal(await rig.directory.kill('0-00000abc-0-1'), 'killed');
    for (const id of ['0-00000abc-0-2', '0-00000abd-0-1', '0-00000abc-u1-1', '9-00000abc-0-1', 'nonsense'])
      assert.equal(await rig.directory.kill(id), 'unknown');
    assert.equal(await rig.directory.kill('1-00000abc-0-1'), 'unanswered');
  });
});
