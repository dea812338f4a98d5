/** A new version as the old one sees it: started, awaited, and ended where it does not come up. */
import { spawn, type ChildProcess } from 'node:child_process';
import { INHERITANCE_VARIABLE, type Legacy } from './inheritance.js';
import type { SlotsById } from './inherited-memory.js';
import { asToPredecessor, type SlotsAnswer } from './messages.js';

export type Verdict =
  | { readonly isReady: true; readonly adopted: readonly number[] }
  | { readonly isReady: false; readonly reason: string; readonly context: object };

export interface SuccessorOptions {
  readonly legacy: Legacy;
  readonly timeoutMs: number;
  readonly slots: () => SlotsById;
  /** Variables that this process has taken out of its own environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export class Successor {
  /** How it went; a version that failed is gone by then. Never rejects. */
  readonly verdict: Promise<Verdict>;
  readonly #child: ChildProcess;
  /** Why it was killed. */
  #reason: string | null = null;

  /** Starts what this process was started from: the same command line, whatever lies there now. */
  constructor({ legacy, timeoutMs, slots, environment }: SuccessorOptions) {
    this.#child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, ...environment, [INHERITANCE_VARIABLE]: legacy.text },
      // In the same process group: Ctrl+C is for both.
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...legacy.fds],
    });
    const timer = setTimeout(() => this.kill(`it was not ready after ${timeoutMs / 1000} seconds`), timeoutMs);
    this.verdict = this.#watch(slots).finally(() => clearTimeout(timer));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The verdict follows when the process is gone. Its workers die with it. */
  kill(reason: string): void {
    this.#reason ??= reason;
    this.#child.kill('SIGKILL');
  }

  #watch(slots: () => SlotsById): Promise<Verdict> {
    return new Promise((resolve) => {
      this.#child.on('message', (message) => {
        const told = asToPredecessor(message);
        if (told === null || this.#reason !== null) return;
        if (told.type === 'slots?') return this.#answer({ type: 'slots', slots: slots() });
        this.#letGo();
        resolve({ isReady: true, adopted: told.adopted });
      });
      this.#child.once('error', ({ message }) => {
        if (this.#child.pid === undefined) resolve({ isReady: false, reason: message, context: {} });
      });
      this.#child.once('exit', (code, signal) => {
        const reason = this.#reason ?? 'it ended before it was ready';
        resolve({ isReady: false, reason, context: { code, signal } });
      });
    });
  }

  /** One that has died meanwhile is noticed elsewhere. */
  #answer(answer: SlotsAnswer): void {
    if (this.#child.connected) this.#child.send(answer, () => undefined);
  }

  /** It lives on its own: this process may end before it. */
  #letGo(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }
}
