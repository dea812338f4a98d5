/**
 * A load of short connections in a process of its own: connect, send a line of its own, read it back to the end, close. Each
 * has an outcome; none is tried again.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually, within } from './eventually.js';
import type { Owner } from './scratch-directory.js';

export type LoadCommand =
  | { readonly type: 'start'; readonly port: number; readonly lanes: number; readonly pauseMs: number }
  | { readonly type: 'stop' };

export interface LoadReport {
  /** Got exactly what they had sent, and an orderly end. */
  readonly answered: number;
  /** The others, by what happened to them: `connect ECONNREFUSED`, `read ECONNRESET`, `wrong answer`, … */
  readonly failed: Readonly<Record<string, number>>;
  readonly isStopped: boolean;
}

export interface LoadOptions {
  /** Connections at a time. */
  readonly lanes?: number;
  /** Of a lane between two connections. */
  readonly pauseMs?: number;
}

const PROGRAM = fileURLToPath(new URL('./connection-load.process.ts', import.meta.url));
const STOP_MS = 120_000;

export class ConnectionLoad {
  readonly #child: ChildProcess;
  #report: LoadReport = { answered: 0, failed: {}, isStopped: false };

  /** Starts at once, against 127.0.0.1 and that port, until stopped. */
  constructor(owner: Owner, port: number, { lanes = 32, pauseMs = 0 }: LoadOptions = {}) {
    this.#child = fork(PROGRAM, { execArgv: ['--import', 'tsx'] });
    this.#child.on('message', (report) => (this.#report = report as LoadReport));
    owner.after(() => {
      this.#child.kill('SIGKILL');
    });
    this.#send({ type: 'start', port, lanes, pauseMs });
  }

  get report(): LoadReport {
    return this.#report;
  }

  /** Waits until so many have been answered, all in all. */
  async answered(count: number, deadlineMs?: number): Promise<void> {
    await eventually(`${count} connections are answered`, () => this.#report.answered >= count, {
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      state: () => this.#report,
    });
  }

  /** Lets those under way end; resolves with how it went. */
  async stop(): Promise<LoadReport> {
    const stopped = new Promise<void>((resolve, reject) => {
      this.#child.on('message', (report) => (report as LoadReport).isStopped && resolve());
      this.#child.once('exit', () => reject(new Error('the load has died')));
    });
    this.#send({ type: 'stop' });
    await within('the load ends', stopped, STOP_MS);
    return this.#report;
  }

  #send(command: LoadCommand): void {
    this.#child.send(command);
  }
}
