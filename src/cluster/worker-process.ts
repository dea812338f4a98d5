/** One place for a worker: its process, its channel, and its successors. */
import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { NativeAddon } from '../adapters/outbound/native/native-addon.js';
import { ChannelOutbox } from './channel-outbox.js';
import type { ConnectionAnswer, ConnectionQuestion } from './connection-questions.js';
import type { MatcherFailure } from './failure-reports.js';
import { WORKER_SETTINGS_VARIABLE, type ToPrimary, type ToWorker, type WorkerBirth } from './messages.js';
import { OpenQuestions } from './open-questions.js';
import type { WorkerSettings } from './worker-settings.js';

export interface WorkerExit {
  readonly workerPid: number;
  /** How long it lived, in milliseconds. */
  readonly lifeMs: number;
  readonly code: number | null;
  readonly signal: string | null;
}

export interface WorkerEvents {
  onReady(): void;
  onCrash(message: string, stack: string): void;
  onMatcherFailure(failure: MatcherFailure): void;
  onExit(exit: WorkerExit): void;
}

/** Beside this file, in src/ as in dist/. */
const WORKER_FILE = fileURLToPath(
  new URL(`./worker-main${import.meta.url.endsWith('.ts') ? '.cts' : '.cjs'}`, import.meta.url),
);

export class WorkerProcess {
  readonly index: number;
  readonly outbox = new ChannelOutbox();
  readonly #worker: Worker;
  readonly #native: NativeAddon;
  readonly #channel: [number, number];
  readonly #startedAt = performance.now();
  /** Who waits for settings to be in force, in the order in which they were sent. */
  readonly #unanswered: (() => void)[] = [];
  readonly #questions = new OpenQuestions<ConnectionAnswer>();
  #isOpen = true;

  /** Forks at once. `regionFd` stays the caller's. */
  constructor(native: NativeAddon, birth: WorkerBirth, regionFd: number, events: WorkerEvents) {
    this.index = birth.workerIndex;
    this.#native = native;
    this.#channel = native.createChannel();
    // Settings of the next fork only: each worker has a channel of its own. The places are WORKER_FD's.
    cluster.setupPrimary({
      exec: WORKER_FILE,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', regionFd, this.workerEnd],
    });
    try {
      this.#worker = cluster.fork({ [WORKER_SETTINGS_VARIABLE]: JSON.stringify(birth) });
    } catch (error) {
      this.close();
      throw error;
    }
    this.#worker.on('message', (message: ToPrimary | null) => {
      if (message?.type === 'ready') events.onReady();
      else if (message?.type === 'configured') this.#unanswered.shift()?.();
      else if (message?.type === 'answer') this.#questions.answer(message.number, message.answer);
      else if (message?.type === 'crashed') events.onCrash(message.message, message.stack);
      else if (message?.type === 'matcherFailed') events.onMatcherFailure(message);
    });
    this.#worker.on('exit', (code: number | null, signal: string | null) => {
      for (const resolve of this.#unanswered.splice(0)) resolve();
      this.#questions.giveUp();
      events.onExit({ workerPid: this.pid, lifeMs: performance.now() - this.#startedAt, code, signal });
    });
    // A process that could not be started has no exit; a message that could not be sent is followed by one.
    this.#worker.on('error', () => {
      if (this.#worker.process.pid === undefined) events.onExit({ workerPid: 0, lifeMs: 0, code: null, signal: null });
    });
  }

  get pid(): number {
    return this.#worker.process.pid ?? 0;
  }

  get primaryEnd(): number {
    return this.#channel[0];
  }

  /** Kept open so that what a dead worker has not read can be taken back. */
  get workerEnd(): number {
    return this.#channel[1];
  }

  tell(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message);
  }

  /** Resolves when these settings are in force there, or the process is gone. */
  configure(settings: WorkerSettings): Promise<void> {
    if (!this.#worker.isConnected()) return Promise.resolve();
    const isInForce = new Promise<void>((resolve) => this.#unanswered.push(resolve));
    this.tell({ type: 'configure', settings });
    return isInForce;
  }

  /** null where it has not answered after `timeoutMs`, or cannot. */
  ask(question: ConnectionQuestion, timeoutMs: number): Promise<ConnectionAnswer | null> {
    if (!this.#worker.isConnected()) return Promise.resolve(null);
    return this.#questions.ask((number) => this.tell({ type: 'question', number, question }), timeoutMs);
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  /** Closes the channel; idempotent. Not before the acceptor has taken back what was in it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.outbox.close();
    for (const fd of this.#channel) this.#native.closeFd(fd);
  }
}
