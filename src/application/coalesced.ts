/**
 * Does something for whoever asks: for the first at once, for all who ask while it is being done, or while it rests
 * afterwards, once more for them together. It rests longer where it takes longer, so that a flood cannot keep the process
 * busy with it.
 */
const LEAST_REST_MS = 100;
const MOST_REST_MS = 1_000;
const REST_SHARE = 2;

export interface CoalescedOptions {
  readonly run: () => Promise<void> | void;
  readonly nowMs: () => number;
  readonly schedule: (action: () => void, delayMs: number) => () => void;
}

export class Coalesced {
  readonly #options: CoalescedOptions;
  /** Running or at rest. */
  #current: Promise<void> | null = null;
  #following: Promise<void> | null = null;
  #cancelRest: () => void = () => undefined;
  #isStopped = false;

  constructor(options: CoalescedOptions) {
    this.#options = options;
  }

  /** Resolves after a run that began no earlier than now; rejects as it does. */
  async request(): Promise<void> {
    if (this.#isStopped) return;
    if (this.#current === null) return this.#runAndRest();
    this.#following ??= this.#current.then(() => {
      this.#following = null;
      return this.#isStopped ? undefined : this.#runAndRest();
    });
    return this.#following;
  }

  /** Whoever waits waits no longer. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRest();
  }

  async #runAndRest(): Promise<void> {
    const { run, nowMs, schedule } = this.#options;
    const startMs = nowMs();
    let rested: () => void = () => undefined;
    this.#current = new Promise((resolve) => (rested = resolve));
    const end = (): void => {
      this.#current = null;
      rested();
    };
    try {
      await run();
    } finally {
      const restMs = Math.min(Math.max(LEAST_REST_MS, REST_SHARE * (nowMs() - startMs)), MOST_REST_MS);
      const cancel = schedule(end, restMs);
      this.#cancelRest = () => {
        cancel();
        end();
      };
      if (this.#isStopped) this.#cancelRest();
    }
  }
}
