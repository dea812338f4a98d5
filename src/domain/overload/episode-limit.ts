/** Begins of the same kind that come closer together than this are told as one. */
const APART_MS = 10_000;

/** Which episodes of one kind are worth a line, and how many were not: a log must not grow with what it reports on. */
export class EpisodeLimit {
  #toldMs = -Infinity;
  #isTold = false;
  #untold = 0;

  /** How many episodes were not told since the last one that was; null where this one is not told either. */
  begin(nowMs: number): number | null {
    this.#isTold = nowMs - this.#toldMs >= APART_MS;
    if (!this.#isTold) {
      this.#untold++;
      return null;
    }
    this.#toldMs = nowMs;
    const untold = this.#untold;
    this.#untold = 0;
    return untold;
  }

  /** Whether the end is told: where the begin was. */
  end(): boolean {
    const wasTold = this.#isTold;
    this.#isTold = false;
    return wasTold;
  }
}
