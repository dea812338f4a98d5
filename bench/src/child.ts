/** Child processes that are always reaped: stop() asks with SIGTERM, insists with SIGKILL, and may be called twice. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Launch } from './model.js';
import { processTree } from './process-tree.js';

const STOP_TIMEOUT_MS = 3_000;
const LOG_TAIL = 600;

export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #logPath: string;
  readonly #exited: Promise<void>;

  constructor(launch: Launch, logPath: string) {
    const log = openSync(logPath, 'a');
    this.#process = spawn(launch.command, launch.args, {
      env: { ...process.env, ...launch.env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#logPath = logPath;
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => resolve());
      this.#process.once('error', () => resolve());
    });
    this.pid = this.#process.pid ?? 0;
    live.add(this);
  }

  get isRunning(): boolean {
    return this.pid !== 0 && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get logTail(): string {
    return readFileSync(this.#logPath, 'utf8').slice(-LOG_TAIL).trim();
  }

  async stop(): Promise<void> {
    live.delete(this);
    if (!this.isRunning) return;
    const tree = processTree(this.pid);
    this.#process.kill('SIGTERM');
    const killer = setTimeout(() => killAll(tree), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(killer);
  }

  /** For exit paths that cannot wait. */
  killNow(): void {
    if (this.isRunning) killAll(processTree(this.pid));
  }
}

const live = new Set<Child>();

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // already gone
    }
  }
}

export function killLiveChildren(): void {
  for (const child of live) child.killNow();
}
