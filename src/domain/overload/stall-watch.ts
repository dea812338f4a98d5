/**
 * Tells a worker whose loop stands still from one that is merely slow, by the beats that it leaves in shared memory.
 *
 * Silence is measured in the turns of the watch itself. A turn that comes late counts for two at most, and after a pause
 * as long as a stall counting starts anew: when the watch was held up (the machine was suspended, every process stopped,
 * the processors given to somebody else), the workers were most likely held up as well, and need time to catch up.
 */

/** How often the watch is to turn. */
export const TURN_MS = 250;
/** A worker beats four times in this. */
export const STALL_AFTER_MS = 1000;
/** Loading everything takes a tenth of a second; on a machine that does a hundred other things, some. */
const START_MS = 60_000;

export type Verdict =
  /** Nothing has changed. */
  | 'unchanged'
  /** No beat for STALL_AFTER_MS. */
  | 'stalled'
  /** It was stalled and beats again. */
  | 'resumed'
  /** Silent for longer than is allowed; said once. */
  | 'expired';

/** What is known of a worker at this turn. */
export interface Pulse {
  readonly index: number;
  /** Another number means another process, of which nothing is known yet. */
  readonly pid: number;
  readonly beat: number;
  /** It has started: before that it may be silent for longer, and is never stalled. */
  readonly isReady: boolean;
}

interface Watched {
  pid: number;
  beat: number;
  silentMs: number;
  isStalled: boolean;
  isExpired: boolean;
}

export class StallWatch {
  readonly #watched = new Map<number, Watched>();
  #limitMs = Infinity;
  #lastTurnMs: number | null = null;
  /** What this turn adds to a silence. */
  #turnMs = 0;

  /** How long a worker may be silent; Infinity = for ever. Less than STALL_AFTER_MS is that. */
  configure(limitMs: number): void {
    this.#limitMs = Math.max(limitMs, STALL_AFTER_MS);
  }

  /** Begins a turn, in which each worker is looked at once. `nowMs` never goes back. */
  turn(nowMs: number): void {
    const passedMs = this.#lastTurnMs === null ? 0 : nowMs - this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    this.#turnMs = Math.min(passedMs, 2 * TURN_MS);
    if (passedMs < STALL_AFTER_MS) return;
    this.#turnMs = 0;
    for (const watched of this.#watched.values()) watched.silentMs = 0;
  }

  look({ index, pid, beat, isReady }: Pulse): Verdict {
    const watched = this.#watched.get(index);
    if (watched?.pid !== pid) {
      this.#watched.set(index, { pid, beat, silentMs: 0, isStalled: false, isExpired: false });
      return 'unchanged';
    }
    if (watched.beat !== beat) return resume(watched, beat);
    watched.silentMs += this.#turnMs;
    return this.#judge(watched, isReady);
  }

  /** How long the worker has been silent, in milliseconds of this watch. */
  silentMs(index: number): number {
    return this.#watched.get(index)?.silentMs ?? 0;
  }

  #judge(watched: Watched, isReady: boolean): Verdict {
    if (isReady && !watched.isStalled && watched.silentMs >= STALL_AFTER_MS) {
      watched.isStalled = true;
      return 'stalled';
    }
    const limitMs = isReady || this.#limitMs === Infinity ? this.#limitMs : Math.max(this.#limitMs, START_MS);
    if (watched.isExpired || watched.silentMs < limitMs) return 'unchanged';
    watched.isExpired = true;
    return 'expired';
  }
}

function resume(watched: Watched, beat: number): Verdict {
  const wasStalled = watched.isStalled;
  watched.beat = beat;
  watched.silentMs = 0;
  watched.isStalled = watched.isExpired = false;
  return wasStalled ? 'resumed' : 'unchanged';
}
