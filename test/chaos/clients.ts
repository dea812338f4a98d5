/** The client process of the chaos run as its parent sees it: counts how streams end, and judges those that ended too early. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from '../support/eventually.js';
import { killAtExit } from '../support/live-processes.js';
import type { Owner } from '../support/scratch-directory.js';
import type { StreamOutcome, StreamReport } from './client-stream.js';
import type { Violations } from './violations.js';

export type ClientsCommand =
  | { readonly type: 'start'; readonly port: number; readonly address: string; readonly lanes: number }
  | { readonly type: 'stop'; readonly graceMs: number };

export type ClientsNote = { readonly type: 'stream'; readonly report: StreamReport } | { readonly type: 'stopped' };

/** When a backend was killed: the kernel ends its connections with FIN, so a stream of that process may be cut. */
export interface BackendDeath {
  readonly pid: number;
  readonly atMs: number;
}

const PROGRAM = fileURLToPath(new URL('./clients.process.ts', import.meta.url));
const STOP_MS = 60_000;
const ALLOWED: ReadonlySet<StreamOutcome> = new Set(['intact', 'reset', 'left']);

export class ChaosClients {
  readonly outcomes = new Map<StreamOutcome | 'cut by a backend killed', number>();
  downBytes = 0;
  /** Of each stream that did not end well, for who looks into a violation. */
  readonly reports = new Map<number, StreamReport>();
  readonly #child: ChildProcess;
  readonly #violations: Violations;
  readonly #deaths: readonly BackendDeath[];
  readonly #stopped: Promise<void>;
  readonly #cut: StreamReport[] = [];

  constructor(owner: Owner, seed: string, deaths: readonly BackendDeath[], violations: Violations) {
    this.#deaths = deaths;
    this.#violations = violations;
    this.#child = fork(PROGRAM, [seed], { execArgv: ['--import', 'tsx'] });
    killAtExit(this.#child.pid ?? 0);
    owner.after(() => void this.#child.kill('SIGKILL'));
    this.#stopped = new Promise((resolve, reject) => {
      this.#child.on('message', (note: ClientsNote) => (note.type === 'stream' ? this.#take(note.report) : resolve()));
      this.#child.once('exit', (code) => reject(new Error(`the clients ended with code ${code}`)));
    });
    this.#stopped.catch(() => undefined);
  }

  get count(): number {
    return [...this.outcomes.values()].reduce((sum, each) => sum + each, 0);
  }

  start(port: number, address: string, lanes: number): void {
    this.#child.send({ type: 'start', port, address, lanes } satisfies ClientsCommand);
  }

  /** No new streams; those under way may end within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#child.send({ type: 'stop', graceMs } satisfies ClientsCommand);
    await within('the clients end', this.#stopped, graceMs + STOP_MS);
    for (const report of this.#cut) this.#judgeCut(report);
  }

  #take(report: StreamReport): void {
    this.downBytes += report.downBytes;
    if (report.outcome !== 'intact') this.reports.set(report.id, report);
    if (report.outcome === 'cut') {
      // Judged when all deaths are known: the kernel is quicker than the note of who was killed.
      this.#cut.push(report);
      return;
    }
    this.#count(report.outcome);
    if (!ALLOWED.has(report.outcome)) this.#violations.add(report.id, `${report.outcome}: ${report.detail}`);
  }

  #judgeCut(report: StreamReport): void {
    const { id, instance, startedAtMs, endedAtMs, detail } = report;
    const mayBe = this.#deaths.some(({ pid, atMs }) =>
      // Before the greeting nobody knows who served it.
      instance === 0 ? atMs >= startedAtMs && atMs <= endedAtMs : pid === instance,
    );
    this.#count(mayBe ? 'cut by a backend killed' : 'cut');
    if (!mayBe) this.#violations.add(id, `cut: ${detail}`);
  }

  #count(outcome: StreamOutcome | 'cut by a backend killed'): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}
