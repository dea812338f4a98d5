/** A backend process of the chaos run as its parent sees it: always the same address and port, one process after the other. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { within } from '../support/eventually.js';
import { forget, killAtExit, killQuietly } from '../support/live-processes.js';
import type { Owner } from '../support/scratch-directory.js';
import type { Violations } from './violations.js';

/** Resets about so many per cent of the connections. */
export interface BackendCommand {
  readonly resetPercent: number;
}

export type BackendNote =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'violation'; readonly id: number; readonly fault: string };

const PROGRAM = fileURLToPath(new URL('./backend.process.ts', import.meta.url));
const START_MS = 45_000;

export class ChaosBackend {
  readonly address: string;
  readonly #seed: string;
  readonly #violations: Violations;
  #port = 0;
  #child: ChildProcess | null = null;

  constructor(owner: Owner, seed: string, address: string, violations: Violations) {
    this.address = address;
    this.#seed = seed;
    this.#violations = violations;
    owner.after(() => this.kill());
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Resolves when it listens, on the port that it had before. */
  async start(): Promise<void> {
    if (this.#child !== null) return;
    const child = fork(PROGRAM, [this.#seed, this.address, String(this.#port)], { execArgv: ['--import', 'tsx'] });
    this.#child = child;
    killAtExit(child.pid ?? 0);
    const listening = new Promise<number>((resolve, reject) => {
      child.on('message', (note: BackendNote) => {
        if (note.type === 'listening') resolve(note.port);
        else this.#violations.add(note.id, `backend ${this.address}: ${note.fault}`);
      });
      child.once('exit', () => reject(new Error(`the backend ${this.address} ended before it listened`)));
    });
    this.#port = await within(`the backend ${this.address} listens`, listening, START_MS);
  }

  /** SIGKILL; the kernel ends its connections, some with FIN. Idempotent. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child?.pid === undefined) return;
    const { pid } = child;
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      killQuietly(pid);
      await exit;
    }
    forget(pid);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  resetSome(resetPercent: number): void {
    if (this.#child?.connected === true) this.#child.send({ resetPercent } satisfies BackendCommand);
  }
}
