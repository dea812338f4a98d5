/** The crash rule of the shared tables, on real processes and a real memfd: SIGKILL between any two instructions. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { DeadWorkers } from '../../src/cluster/dead-workers.js';
import { initialiseRegion, regionBytes } from '../../src/domain/shared/control-region.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { BACKEND, WORKER, WORKER_ROW } from '../../src/domain/shared/layout.js';
import { eventually } from '../support/eventually.js';
import type { HammerOrders, HammerReport } from '../fixtures/table-hammer.js';

const HAMMER = fileURLToPath(new URL('../fixtures/table-hammer.ts', import.meta.url));
const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 3;
const SLOTS = 5;
const HARD_LIMIT = 40;
const ROUNDS = 20;
/** So many more where nobody has died between two changes so far. */
const MORE_ROUNDS = 200;

class Hammer {
  readonly process: ChildProcess;
  readonly #exit: Promise<unknown>;

  constructor(regionFd: number) {
    const stdio = ['ignore', 'inherit', 'inherit', regionFd, 'ipc'] as const;
    this.process = spawn(process.execPath, ['--import', 'tsx', HAMMER], { stdio: [...stdio] });
    this.#exit = once(this.process, 'exit');
  }

  async heard(type: HammerReport['type']): Promise<HammerReport> {
    for (;;) {
      const [report] = (await once(this.process, 'message')) as [HammerReport];
      if (report.type === type) return report;
    }
  }

  async ask(orders: HammerOrders, answer: HammerReport['type']): Promise<HammerReport> {
    const heard = this.heard(answer);
    this.process.send(orders);
    return heard;
  }

  async start(worker: number): Promise<void> {
    await this.ask({ type: 'start', worker, slots: SLOTS, hardLimit: HARD_LIMIT }, 'started');
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#exit;
  }
}

describe('the shared tables', TIME_LIMIT, () => {
  const native = loadNativeAddon();
  const capacity = { workers: WORKERS, backends: SLOTS, bindingSets: 16, rateSets: 16, clientSets: 16 };
  const { fd, buffer } = native.createRegion('edgeproxy-test', regionBytes(capacity));
  const region: ControlRegion = initialiseRegion(buffer, capacity, [1, 2, 3, 4]);
  const hammers: Hammer[] = [];

  async function makeHammer(): Promise<Hammer> {
    const hammer = new Hammer(fd);
    hammers.push(hammer);
    await hammer.heard('waiting');
    return hammer;
  }

  const activeOf = (slot: number): number => Atomics.load(region.words, region.backendAt(slot) + BACKEND.ACTIVE);
  const shareOf = (worker: number, slot: number): number =>
    Atomics.load(region.words, region.rowAt(worker, slot) + WORKER_ROW.SHARE);
  const isTorn = (worker: number): boolean =>
    (Atomics.load(region.words, region.workerAt(worker) + WORKER.PAIR_SEQUENCE) & 1) !== 0;
  const slots = Array.from({ length: SLOTS }, (_, slot) => slot);

  after(() => {
    for (const hammer of hammers) if (hammer.process.exitCode === null) hammer.process.kill('SIGKILL');
    native.closeFd(fd);
  });

  it('counts 10,000,000 of 10,000,000 additions of two processes', async () => {
    const word = region.backendAt(0) + 1;
    const pair = await Promise.all([makeHammer(), makeHammer()]);
    await Promise.all(pair.map((hammer) => hammer.ask({ type: 'adds', word, count: 5_000_000 }, 'added')));
    assert.equal(Atomics.load(region.words, word), 10_000_000);
    await Promise.all(pair.map((hammer) => hammer.kill()));
  });

  describe('while workers are killed between any two changes', () => {
    const living: Hammer[] = [];
    const dead = new DeadWorkers(region, () => SLOTS);
    let spare: Promise<Hammer>;

    before(async () => {
      for (let worker = 0; worker < WORKERS; worker++) living.push(await makeHammer());
      await Promise.all(living.map((hammer, worker) => hammer.start(worker)));
      spare = makeHammer();
    });

    async function succeed(worker: number): Promise<void> {
      const successor = await spare;
      spare = makeHammer();
      living[worker] = successor;
      await successor.start(worker);
      await successor.ask({ type: 'hold' }, 'holding');
    }

    /** Asks as the supervisor does, while the others go on changing the same words. */
    async function reclaimed(worker: number): Promise<void> {
      await eventually('all is given back', () => dead.reclaim(worker));
    }

    /** Stops the living and compares what they say that they hold with the shared counters. */
    async function compare(victims: readonly number[]): Promise<void> {
      const nothing: HammerReport = { type: 'holding', held: slots.map(() => 0), strayBindings: 0 };
      const reports = await Promise.all(
        living.map(async (hammer, worker) =>
          victims.includes(worker) ? nothing : hammer.ask({ type: 'hold' }, 'holding'),
        ),
      );
      for (const slot of slots) {
        const held = reports.reduce((sum, report) => sum + (report.held[slot] ?? 0), 0);
        const shares = reports.map((_, worker) => shareOf(worker, slot));
        assert.deepEqual(
          shares,
          reports.map((report) => report.held[slot]),
          `shares of slot ${slot}`,
        );
        assert.equal(activeOf(slot), held, `active of slot ${slot}`);
      }
      assert.equal(
        reports.reduce((sum, report) => sum + report.strayBindings, 0),
        0,
        'bindings to a wrong backend',
      );
    }

    it(`gives back exactly what each of the killed held, and the living go on`, async () => {
      let torn = 0;
      for (let round = 0; round < ROUNDS || (torn === 0 && round < ROUNDS + MORE_ROUNDS); round++) {
        const victim = round % WORKERS;
        // Now and then two at once: neither can wait for the other's sequence to become even.
        const victims = round % 4 === 3 ? [victim, (victim + 1) % WORKERS] : [victim];
        await Promise.all(living.map((hammer) => hammer.ask({ type: 'go' }, 'going')));
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        await Promise.all(victims.map(async (worker) => living[worker]?.kill()));
        torn += victims.filter(isTorn).length;
        for (const slot of slots) assert.ok(activeOf(slot) <= HARD_LIMIT, `active ${activeOf(slot)} above the limit`);
        await Promise.all(victims.map(reclaimed));
        for (const worker of victims) {
          assert.equal(isTorn(worker), false);
        }
        await compare(victims);
        for (const worker of victims) await succeed(worker);
      }
      assert.ok(torn > 0, 'no process died between two changes: the test has shown little');
    });

    it('is empty when the living have given back what they hold', async () => {
      await Promise.all(living.map((hammer) => hammer.ask({ type: 'end' }, 'ended')));
      for (const slot of slots) {
        assert.equal(activeOf(slot), 0);
        for (let worker = 0; worker < WORKERS; worker++) assert.equal(shareOf(worker, slot), 0);
      }
      await (await spare).kill();
    });
  });
});
