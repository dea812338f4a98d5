/** Rate and connection limits over eight processes that share one table, some of them killed at any instruction. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { ANY_LISTENER, ClientKey } from '../../src/domain/shared/client-key.js';
import { ClientTable } from '../../src/domain/shared/client-table.js';
import { initialiseRegion, regionBytes } from '../../src/domain/shared/control-region.js';
import type { AdmissionReport, AdmissionTask } from '../fixtures/admission-hammer.js';

const HAMMER = fileURLToPath(new URL('../fixtures/admission-hammer.ts', import.meta.url));
const TIME_LIMIT = { timeout: 300_000 };
const WORKERS = 8;
const BURST = 7;
const CLIENTS = 200;
const MOST = 5;

class Hammer {
  readonly process: ChildProcess;
  readonly ready: Promise<AdmissionReport>;

  constructor(regionFd: number, task: AdmissionTask) {
    const stdio = ['ignore', 'inherit', 'inherit', regionFd, 'ipc'] as const;
    const args = ['--import', 'tsx', HAMMER, JSON.stringify(task)];
    this.process = spawn(process.execPath, args, { stdio: [...stdio] });
    this.ready = this.#next();
  }

  async ask(order: 'ask' | 'churn' | 'end'): Promise<AdmissionReport> {
    const answer = this.#next();
    this.process.send(order);
    return answer;
  }

  async kill(): Promise<void> {
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
  }

  async #next(): Promise<AdmissionReport> {
    const [report] = (await once(this.process, 'message')) as [AdmissionReport];
    return report;
  }
}

describe('the tables of admission', TIME_LIMIT, () => {
  const native = loadNativeAddon();
  const capacity = { workers: WORKERS, backends: 1, bindingSets: 1, rateSets: 256, clientSets: 256 };
  const { fd, buffer } = native.createRegion('edgeproxy-test', regionBytes(capacity));
  const region = initialiseRegion(buffer, capacity, [1, 2, 3, 4]);
  const limit = { maxRequests: 1, windowSecs: 3600, burst: BURST };
  const task = { clients: CLIENTS, asks: 40, limit, most: MOST };
  const hammers: Hammer[] = [];

  async function makeHammers(count: number): Promise<Hammer[]> {
    const made = Array.from({ length: count }, (_, worker) => new Hammer(fd, { ...task, worker }));
    hammers.push(...made);
    await Promise.all(made.map(({ ready }) => ready));
    return made;
  }

  after(() => {
    for (const { process } of hammers) if (process.exitCode === null) process.kill('SIGKILL');
    native.closeFd(fd);
  });

  it('let eight workers together admit each client exactly as often as one would', async () => {
    const workers = await makeHammers(WORKERS);
    const reports = await Promise.all(workers.map((hammer) => hammer.ask('ask')));
    const sums = Array.from({ length: CLIENTS }, (_, client) =>
      reports.reduce((sum, { counts }) => sum + (counts[client] ?? 0), 0),
    );
    assert.deepEqual(new Set(sums), new Set([BURST]));
    await Promise.all(workers.map((hammer) => hammer.kill()));
  });

  it('hold the connections of each client within the limit, and give back those of workers that are killed', async () => {
    const table = new ClientTable(region);
    const key = new ClientKey(region.seeds());
    const countOf = (client: number): number => {
      key.assign(ANY_LISTENER, 0, 0, 0xffff, client);
      return table.count(key);
    };
    const clients = Array.from({ length: CLIENTS }, (_, client) => client);
    const workers = await makeHammers(WORKERS);
    await Promise.all(workers.map((hammer) => hammer.ask('churn')));
    const victims = workers.slice(0, 3);
    await Promise.all(victims.map((hammer) => hammer.kill()));
    for (let worker = 0; worker < victims.length; worker++) table.clearWorker(worker);
    const reports = await Promise.all(workers.slice(3).map((hammer) => hammer.ask('end')));
    const heldOf = (client: number): number => reports.reduce((sum, { counts }) => sum + (counts[client] ?? 0), 0);
    assert.deepEqual(clients.map(countOf), clients.map(heldOf));
    assert.ok(Math.max(...clients.map(countOf)) <= MOST);
    assert.equal(
      reports.reduce((sum, { excesses }) => sum + excesses, 0),
      0,
    );
    await Promise.all(workers.slice(3).map((hammer) => hammer.kill()));
  });
});
