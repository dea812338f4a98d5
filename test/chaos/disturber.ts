/** Does what the schedule says, each thing beside the others, and in the end undoes what is still undone. */
import { setTimeout as delay } from 'node:timers/promises';
import { latestPrimary } from '../support/generations.js';
import { isRunning } from '../support/process-facts.js';
import type { ProxyProcess } from '../support/proxy-process.js';
import type { ChaosBackend } from './backend.js';
import type { BackendDeath } from './clients.js';
import { writeBadConfig, writeGoodConfig } from './config-file.js';
import { flood } from './flood.js';
import { workersOf } from './footprint.js';
import { editRoute } from './route-edits.js';
import type { Disturbance, DisturbanceKind } from './schedule.js';

/** Up to twice as long as backends: longer than the watchdog waits. */
const WORKER_STOP_FACTOR = 2;
const FLOOD_FACTOR = 8;
const FLOOD_ADDRESS = '127.0.3.1';

export class Disturber {
  readonly done = new Map<DisturbanceKind, number>();
  readonly deaths: BackendDeath[] = [];
  readonly #proxy: ProxyProcess;
  readonly #configPath: string;
  readonly #backends: readonly ChaosBackend[];
  readonly #underWay = new Set<Promise<void>>();
  /** Backends that somebody has already stopped or killed: the next one finds something else to do. */
  readonly #away = new Set<ChaosBackend>();

  constructor(proxy: ProxyProcess, backends: readonly ChaosBackend[], configPath: string) {
    this.#configPath = configPath;
    this.#proxy = proxy;
    this.#backends = backends;
  }

  /** Resolves when the last one has been done and undone. */
  async run(schedule: readonly Disturbance[]): Promise<void> {
    const startMs = performance.now();
    for (const disturbance of schedule) {
      await delay(Math.max(0, disturbance.atMs - (performance.now() - startMs)));
      const action = this.#do(disturbance).finally(() => this.#underWay.delete(action));
      this.#underWay.add(action);
    }
    await Promise.all(this.#underWay);
    for (const index of this.#backends.keys()) this.#edit(index, 'restore', 1);
    writeGoodConfig(this.#configPath, 0);
    this.#signalPrimary('SIGHUP');
  }

  async #do(disturbance: Disturbance): Promise<void> {
    const { kind, target, forMs, edit, amount } = disturbance;
    const backendIndex = target % this.#backends.length;
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1);
    switch (kind) {
      case 'kill worker':
        return this.#killWorker(target);
      case 'stop worker':
        return this.#stopWorker(target, forMs);
      case 'kill backend':
        return this.#withBackend(backendIndex, (backend) => this.#killBackend(backend, forMs));
      case 'stop backend':
        return this.#withBackend(backendIndex, (backend) => stopBackend(backend, forMs));
      case 'reset storm':
        return this.#backends[backendIndex]?.resetSome(amount);
      case 'edit routes':
        return this.#edit(backendIndex, edit, amount);
      case 'reload':
        return this.#signalPrimary('SIGHUP');
      case 'configure':
        writeGoodConfig(this.#configPath, amount);
        return this.#signalPrimary('SIGHUP');
      case 'misconfigure':
        writeBadConfig(this.#configPath, amount);
        return this.#signalPrimary('SIGHUP');
      case 'upgrade':
        return this.#signalPrimary('SIGUSR2');
      case 'flood':
        return flood(this.#proxy, amount * FLOOD_FACTOR, FLOOD_ADDRESS);
    }
  }

  /** Of the version that is in charge. */
  #signalPrimary(signal: NodeJS.Signals): void {
    process.kill(latestPrimary(this.#proxy), signal);
  }

  /** Of any version, so that some die while they drain. */
  #pickWorker(target: number): number | undefined {
    const pids = this.#proxy.primaryPids.flatMap(workersOf);
    return pids[target % pids.length];
  }

  #killWorker(target: number): void {
    const pid = this.#pickWorker(target);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  async #stopWorker(target: number, forMs: number): Promise<void> {
    const pid = this.#pickWorker(target);
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    await delay(forMs * WORKER_STOP_FACTOR);
    // It may have been killed meanwhile.
    if (isRunning(pid)) process.kill(pid, 'SIGCONT');
  }

  async #withBackend(index: number, action: (backend: ChaosBackend) => Promise<void>): Promise<void> {
    const backend = this.#backends[index];
    if (backend === undefined || this.#away.has(backend)) return;
    this.#away.add(backend);
    await action(backend);
    this.#away.delete(backend);
  }

  async #killBackend(backend: ChaosBackend, forMs: number): Promise<void> {
    const { pid } = backend;
    if (pid !== null) this.deaths.push({ pid, atMs: Date.now() });
    await backend.kill();
    await delay(forMs);
    await backend.start();
  }

  #edit(index: number, edit: Disturbance['edit'], weight: number): void {
    const backend = this.#backends[index];
    if (backend !== undefined) editRoute(this.#proxy.databasePath, `b${index}`, backend, edit, weight);
  }
}

async function stopBackend(backend: ChaosBackend, forMs: number): Promise<void> {
  backend.signal('SIGSTOP');
  await delay(forMs);
  backend.signal('SIGCONT');
}
