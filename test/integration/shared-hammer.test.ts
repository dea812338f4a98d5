/**
 * Threads that hammer one control region, as worker processes do through a memfd; some are terminated at random points.
 * This file is also the thread's: what it does is in its workerData.
 */
import assert from 'node:assert/strict';
import { on } from 'node:events';
import { after, describe, it } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ClientKey } from '../../src/domain/shared/client-key.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import { ControlRegion } from '../../src/domain/shared/control-region.js';
import { DeadWorkerShares } from '../../src/domain/shared/dead-worker-shares.js';
import { Reservations } from '../../src/domain/shared/reservations.js';
import { RoutesReader } from '../../src/domain/shared/routes-reader.js';
import {
  activeOf,
  backend,
  newRegion,
  pairSequenceOf,
  RoutingRig,
  shareOf,
  SMALL_CAPACITY,
} from '../support/routing-rig.js';

interface Task {
  readonly role: 'connect' | 'churn' | 'read';
  readonly buffer: SharedArrayBuffer;
  readonly worker: number;
  /** Word 0: 1 = begin, 2 = end; word 1: turns of work done. */
  readonly signals: Int32Array;
}

const SLOTS = 8;
const LIMIT = 5;
const GO = 0;
const TURNS = 1;
/** A reader has met the writer at work when it has seen so many tables. */
const ENOUGH_TABLES = 20;
/** A test that waits longer than this has failed. */
const DEADLINE_MS = 60_000;

/** A thread does not inherit the loader that `--import tsx` gave its parent. */
const BOOTSTRAP = `import('tsx/esm/api').then(({ register }) => {
  register();
  return import(${JSON.stringify(import.meta.url)});
});`;

function isTold(signals: Int32Array, signal: number): boolean {
  return Atomics.load(signals, GO) >= signal;
}

/** A thousand clients at once, as fast as route() answers; reports how many got a place. */
function connect({ buffer, worker }: Task): number {
  const rig = new RoutingRig(new ControlRegion(buffer), worker);
  let placed = 0;
  for (let round = 0; round < 4; round++) {
    for (let index = 0; index < 250; index++) rig.put(index, [0x20010000 + worker, round * 250 + index, 0, 1]);
    rig.batch.route(250);
    for (let index = 0; index < 250; index++) if (rig.answer(index).slot >= 0) placed++;
  }
  return placed;
}

/** Reserves, releases and binds at random until told to end; reports what it holds then. */
function churn({ buffer, worker, signals }: Task): number[] {
  const region = new ControlRegion(buffer);
  const places = new Reservations(region, worker);
  const bindings = new BindingTable(region);
  const key = new ClientKey(region.seeds());
  const held = new Array<number>(SLOTS).fill(0);
  let random = worker + 1;
  while (!isTold(signals, 2)) {
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    const slot = (random >>> 8) % SLOTS;
    const isRelease = (random & 0x40000000) !== 0;
    if (!isRelease && places.reserve(slot, LIMIT)) held[slot] = (held[slot] ?? 0) + 1;
    else if (isRelease && (held[slot] ?? 0) > 0) {
      places.release(slot);
      held[slot] = (held[slot] ?? 0) - 1;
    }
    if (activeOf(region, slot) > LIMIT) throw new Error(`${activeOf(region, slot)} places taken of ${LIMIT}`);
    // The slot says the client, so that whoever finds another slot has found a mixed entry.
    key.assign(0, 0, 0, 0xffff, (random >>> 4) % 4096);
    const client = (random >>> 4) % 4096;
    const bound = bindings.find(key, 100, 600);
    if (bound >= 0 && bound !== client % SLOTS) throw new Error(`client ${client} found slot ${bound}`);
    bindings.insert(key, client % SLOTS, 100, 600);
    Atomics.add(signals, TURNS, 1);
  }
  return held;
}

/** Takes over each new table; reports how many it saw and how many were of two publishes. */
function read({ buffer, worker, signals }: Task): { seen: number; mixed: number } {
  const reader = new RoutesReader(new ControlRegion(buffer), worker);
  const { table } = reader;
  const ports = new Set<number>();
  let mixed = 0;
  while (!isTold(signals, 2)) {
    reader.enter();
    const port = table.port[0] ?? 0;
    if (table.choosable > 0) {
      if (!ports.has(port) && ports.size < ENOUGH_TABLES) Atomics.add(signals, TURNS, 1);
      ports.add(port);
      const isWhole =
        table.choosable === countFor(port) && table.port.subarray(0, table.choosable).every((it) => it === port);
      if (!isWhole || table.popRegion !== table.regionOf(port % 2 === 0 ? BR : US)) mixed++;
    }
    reader.leave();
  }
  return { seen: ports.size, mixed };
}

const BR = 1 * 26 + 17;
const US = 20 * 26 + 18;

function countFor(port: number): number {
  return 1 + (port % 40);
}

function runTask(task: Task): unknown {
  parentPort?.postMessage('ready');
  Atomics.wait(task.signals, GO, 0);
  if (task.role === 'connect') return connect(task);
  return task.role === 'churn' ? churn(task) : read(task);
}

class Threads {
  readonly signals = new Int32Array(new SharedArrayBuffer(8));
  readonly threads: Worker[];
  readonly #messages: AsyncIterator<unknown>[];

  constructor(role: Task['role'], buffer: SharedArrayBuffer, workers: readonly number[]) {
    this.threads = workers.map((worker) => {
      const task: Task = { role, buffer, worker, signals: this.signals };
      return new Worker(BOOTSTRAP, { eval: true, workerData: task });
    });
    // At once, or a quick thread's message would be missed.
    this.#messages = this.threads.map((thread) => messagesOf(thread));
    after(() => Promise.all(this.threads.map((thread) => thread.terminate())));
  }

  /** All at once, when all are ready. */
  async begin(): Promise<void> {
    assert.deepEqual(await this.answers(), Array(this.threads.length).fill('ready'));
    this.tell(1);
  }

  tell(signal: number): void {
    Atomics.store(this.signals, GO, signal);
    Atomics.notify(this.signals, GO);
  }

  /** The next message of each, or of these. */
  answers(indices: readonly number[] = [...this.threads.keys()]): Promise<unknown[]> {
    return Promise.all(indices.map(async (index) => ((await this.#messages[index]?.next())?.value as [unknown])[0]));
  }

  /** Until the threads together have done that many more turns. */
  async turns(count: number): Promise<void> {
    const end = Atomics.load(this.signals, TURNS) + count;
    const endMs = performance.now() + DEADLINE_MS;
    while (Atomics.load(this.signals, TURNS) < end) {
      assert.ok(performance.now() < endMs, 'the threads stand still');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Rejects where the thread fails. */
function messagesOf(thread: Worker): AsyncIterator<unknown> {
  return on(thread, 'message')[Symbol.asyncIterator]();
}

if (!isMainThread) parentPort?.postMessage(runTask(workerData as Task));
else {
  describe('a control region under many hands', () => {
    it('gives a hard limit of 100 to exactly 100 of 3,000 clients that come at once', async () => {
      const { region, buffer } = newRegion({ backends: SLOTS });
      new RoutingRig(region).publish([backend('a', { hardLimit: 100 })]);
      const threads = new Threads('connect', buffer, [0, 1, 2]);
      await threads.begin();
      const placed = (await threads.answers()) as number[];
      assert.equal(
        placed.reduce((sum, part) => sum + part, 0),
        100,
      );
      assert.equal(activeOf(region, 0), 100);
      assert.deepEqual(
        [0, 1, 2].map((worker) => shareOf(region, worker, 0)),
        placed,
      );
    });

    it('counts what the living hold after threads were terminated, exactly', async () => {
      const { region, buffer } = newRegion({ backends: SLOTS });
      const threads = new Threads('churn', buffer, [0, 1, 2, 3]);
      const shares = new DeadWorkerShares(region);
      await threads.begin();
      for (const dead of [3, 1]) {
        await threads.turns(20_000);
        await threads.threads[dead]?.terminate();
        // The living go on meanwhile.
        let isSettled = shares.reclaim(dead, SLOTS);
        while (!isSettled) {
          await threads.turns(1);
          isSettled = shares.settle();
        }
      }
      await threads.turns(20_000);
      threads.tell(2);
      const held = (await threads.answers([0, 2])) as number[][];
      for (let slot = 0; slot < SLOTS; slot++) {
        const parts = held.map((it) => it[slot] ?? 0);
        assert.equal(
          activeOf(region, slot),
          parts.reduce((sum, part) => sum + part, 0),
        );
        assert.deepEqual(
          [0, 1, 2, 3].map((worker) => shareOf(region, worker, slot)),
          [parts[0], 0, parts[1], 0],
        );
        assert.ok(activeOf(region, slot) <= LIMIT);
      }
      for (const worker of [0, 1, 2, 3]) assert.equal(pairSequenceOf(region, worker) & 1, 0);
    });

    it('never shows a reader a table of two publishes', async () => {
      const { region, buffer } = newRegion(SMALL_CAPACITY);
      const rig = new RoutingRig(region, 3);
      const threads = new Threads('read', buffer, [0, 1]);
      await threads.begin();
      const seenEnough = 2 * ENOUGH_TABLES;
      const endMs = performance.now() + DEADLINE_MS;
      // As long as it takes: a busy machine may keep a reader waiting while hundreds of tables are written.
      for (let port = 1; port <= 3000 || Atomics.load(threads.signals, TURNS) < seenEnough; port++) {
        assert.ok(port < 65_536 && performance.now() < endMs, 'the readers stand still');
        const backends = Array.from({ length: countFor(port) }, (_, index) => backend(`b${index}`, { port }));
        rig.publish(backends, port % 2 === 0 ? 'sa' : 'us');
        // In bursts, so that readers meet both a table at rest and one that is written again under them.
        if (port % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      threads.tell(2);
      for (const answer of (await threads.answers()) as { seen: number; mixed: number }[]) {
        assert.equal(answer.mixed, 0);
        assert.ok(answer.seen >= ENOUGH_TABLES, `${answer.seen} tables seen`);
      }
    });
  });
}
