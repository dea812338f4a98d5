/** How soon a full channel is tried again: its worker is about to read it. */
const RETRY_MS = 5;

interface Entry {
  readonly send: () => void;
  readonly onDone: () => void;
}

/** What is to go through a worker's channel, in order, also where that is full of clients for the moment. */
export class ChannelOutbox {
  readonly #entries: Entry[] = [];
  #retry: NodeJS.Timeout | null = null;
  #holds = 0;
  #isClosed = false;

  /** `send` throws where the channel is full; resolves when it has not, or when nothing is to be sent any more. */
  push(send: () => void): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((onDone) => {
      this.#entries.push({ send, onDone });
      if (this.#retry === null) this.#flush();
    });
  }

  /** Sends nothing before this has settled: somebody else is putting the channel's messages in order. */
  async holdUntil(settled: Promise<void>): Promise<void> {
    this.#holds++;
    try {
      await settled;
    } finally {
      this.#holds--;
      if (this.#retry === null) this.#flush();
    }
  }

  /** The worker is gone. Idempotent. */
  close(): void {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    for (const { onDone } of this.#entries.splice(0)) onDone();
  }

  #flush(): void {
    this.#retry = null;
    if (this.#holds > 0) return;
    for (let first = this.#entries[0]; first !== undefined; first = this.#entries[0]) {
      try {
        first.send();
      } catch {
        // Full, or the worker is dead and close() follows.
        this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
        return;
      }
      this.#entries.shift();
      first.onDone();
    }
  }
}
