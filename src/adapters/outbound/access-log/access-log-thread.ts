/**
 * The thread that writes the access log: whatever the disk does, it holds up that thread alone. What it cannot write stays in the
 * rings, which are bounded and count what they have to drop.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { settledWithin } from '../settled-within.js';
import { threadFile } from '../thread-file.js';
import type { AccessLogThreadData, FromAccessLogThread, ToAccessLogThread } from './access-log-messages.js';

export interface AccessLogThreadEvents {
  onTrouble(message: string): void;
  /** It has died: nothing is written until there is another one. Also where it cannot be started. */
  onDeath(error: Error): void;
}

/** A thread that hangs in a system call (a dead NFS server) ends when the call does: whoever ends it waits no longer than this. */
const END_TIMEOUT_MS = 2000;

export class AccessLogThread {
  readonly #worker: Worker;
  readonly #gone: Promise<unknown>;

  /** Throws where no thread can be made. */
  constructor(workerData: AccessLogThreadData, events: AccessLogThreadEvents) {
    this.#worker = new Worker(new URL(threadFile(import.meta.url, 'access-log.worker')), { workerData });
    this.#gone = once(this.#worker, 'exit').catch(() => undefined);
    this.#worker.on('message', ({ trouble }: FromAccessLogThread) => events.onTrouble(trouble));
    this.#worker.on('error', (error: Error) => events.onDeath(error));
    this.#worker.unref();
  }

  tell(message: ToAccessLogThread): void {
    this.#worker.postMessage(message);
  }

  /** Resolves when what could be written is. */
  async end(): Promise<void> {
    this.#worker.ref();
    this.tell({ type: 'end' });
    await settledWithin(this.#gone, END_TIMEOUT_MS);
    this.terminate();
  }

  /** Takes no record and writes no line more, once it is back from the system call that it may be in. Idempotent. */
  terminate(): void {
    this.#worker.terminate().catch(() => undefined);
    this.#worker.unref();
  }
}
