/** A running proxy with its own backend and directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBackend, type Backend } from './backend.js';
import { Child } from './child.js';
import { freePort } from './free-ports.js';
import type { BackendKind, BackendPlace, ProxyDefinition, Target } from './model.js';
import { answers } from './probe.js';
import { processTree } from './process-tree.js';

const READY_TIMEOUT_MS = 10_000;
const POLL_MS = 2;

export interface InstanceOptions {
  readonly backendProgram: string;
  readonly backendKind: BackendKind;
  readonly backendPlace: BackendPlace;
  readonly workers: number;
  /** Where the instance makes its own directory. */
  readonly runDirectory: string;
}

export class Instance implements Target {
  readonly proxy: string;
  readonly port: number;
  readonly spawnedAtMs: number;
  readonly #backend: Backend;
  readonly #child: Child | undefined;
  readonly #directory: string;

  private constructor(
    proxy: string,
    port: number,
    backend: Backend,
    child: Child | undefined,
    directory: string,
    spawnedAtMs: number,
  ) {
    this.proxy = proxy;
    this.port = port;
    this.spawnedAtMs = spawnedAtMs;
    this.#backend = backend;
    this.#child = child;
    this.#directory = directory;
  }

  /** Spawns without waiting until the proxy is ready. */
  static async spawn(definition: ProxyDefinition, options: InstanceOptions): Promise<Instance> {
    const directory = mkdtempSync(join(options.runDirectory, `${definition.name}-`));
    const { backendPlace, workers } = options;
    const backend = await startBackend(options.backendProgram, options.backendKind, backendPlace.listensOn);
    try {
      const listenPort = await freePort();
      const place = {
        backendAddress: backendPlace.isAt,
        backendPort: backend.port,
        backendKind: options.backendKind,
      };
      const launch = definition.prepare({ listenPort, ...place, directory, workers });
      const spawnedAtMs = performance.now();
      const child = launch === undefined ? undefined : new Child(launch, join(directory, 'output.log'));
      const port = launch === undefined ? backend.port : listenPort;
      return new Instance(definition.name, port, backend, child, directory, spawnedAtMs);
    } catch (error) {
      backend.stop();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  static async start(definition: ProxyDefinition, options: InstanceOptions): Promise<Instance> {
    const instance = await Instance.spawn(definition, options);
    try {
      await instance.#untilReady(options.backendKind);
      return instance;
    } catch (error) {
      await instance.stop();
      throw error;
    }
  }

  get backendPid(): number {
    return this.#backend.pid;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning ?? true;
  }

  get logTail(): string {
    return this.#child?.logTail ?? '';
  }

  pids(): readonly number[] {
    return this.#child === undefined ? [] : processTree(this.#child.pid);
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
    this.#backend.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #untilReady(kind: BackendKind): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!(await answers(this.port, kind))) {
      if (!this.isRunning) throw new Error(`${this.proxy} ended at start: ${this.logTail}`);
      if (performance.now() > deadlineMs) throw new Error(`${this.proxy} did not answer in time: ${this.logTail}`);
      await sleep(POLL_MS);
    }
  }
}
