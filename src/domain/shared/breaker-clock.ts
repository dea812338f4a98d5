/**
 * The breaker's time, in the primary: an open one becomes half-open after a timeout, and one whose trials are all started
 * and not decided for as long (their clients left, or their worker died) lets as many others start.
 *
 * It also keeps right what a process that dies between two instructions leaves wrong: a change that no generation tells
 * of, and the count of ejected backends.
 */
import type { BackendStates } from './backend-states.js';
import { BREAKER_STATE } from './layout.js';

/** `surplus`: closed because fewer may be ejected than are. */
export type BreakerChange = 'opened' | 'opened_again' | 'half_open' | 'rearmed' | 'closed' | 'surplus' | 'switched_off';
export type OnBreakerChange = (slot: number, change: BreakerChange) => void;

/** Ticks for which a wrong count must stay the same: a worker between its two changes is not to be corrected. */
const TICKS_TO_CORRECT = 10;

export class BreakerClock {
  readonly #states: BackendStates;
  readonly #onChange: OnBreakerChange;
  /** By slot: the state last seen, since when its time runs, and the successes then. */
  readonly #seen: Uint8Array;
  readonly #sinceMs: Float64Array;
  readonly #successes: Int32Array;
  #isOn = false;
  #timeoutMs = 0;
  /** Breakers that the last tick found not closed. */
  #open = 0;
  #wrongCount = { ejected: 0, open: 0, ticks: 0 };

  constructor(states: BackendStates, slots: number, onChange: OnBreakerChange) {
    this.#states = states;
    this.#onChange = onChange;
    this.#seen = new Uint8Array(slots).fill(BREAKER_STATE.CLOSED);
    this.#sinceMs = new Float64Array(slots);
    this.#successes = new Int32Array(slots);
  }

  configure(isOn: boolean, timeoutMs: number): void {
    this.#isOn = isOn;
    this.#timeoutMs = timeoutMs;
  }

  /** The next tick has something to wait for, although nothing changes. */
  get isWaiting(): boolean {
    return this.#open > 0 || this.#states.ejected !== 0;
  }

  /** Looks at the slots below `usedSlots`; a breaker of one that is not published is closed. */
  tick(nowMs: number, usedSlots: number, isPublished: (slot: number) => boolean): void {
    this.#open = 0;
    for (let slot = 0; slot < usedSlots; slot++) {
      const state = this.#states.breaker(slot);
      if (state !== this.#seen[slot]) this.#note(slot, state, nowMs);
      if (state === BREAKER_STATE.CLOSED) continue;
      if (!this.#isOn) this.#close(slot, 'switched_off');
      else if (!isPublished(slot)) this.#close(slot, 'closed');
      else this.#wait(slot, state, nowMs);
    }
    while (this.#open > this.#states.maxEjected) this.#closeLongestOpen(usedSlots);
    this.#checkCount();
  }

  /** A worker has changed the state; it may have died before it told the others. */
  #note(slot: number, state: number, nowMs: number): void {
    const before = this.#seen[slot];
    this.#seen[slot] = state;
    this.#sinceMs[slot] = nowMs;
    this.#successes[slot] = 0;
    this.#states.touch();
    if (state === BREAKER_STATE.CLOSED) this.#onChange(slot, 'closed');
    else if (state === BREAKER_STATE.OPEN)
      this.#onChange(slot, before === BREAKER_STATE.HALF_OPEN ? 'opened_again' : 'opened');
  }

  #wait(slot: number, state: number, nowMs: number): void {
    this.#open++;
    if (state === BREAKER_STATE.HALF_OPEN && this.#hasMovedOn(slot)) this.#sinceMs[slot] = nowMs;
    if (nowMs - (this.#sinceMs[slot] ?? 0) < this.#timeoutMs) return;
    this.#sinceMs[slot] = nowMs;
    if (state === BREAKER_STATE.HALF_OPEN) {
      this.#states.rearm(slot);
      this.#onChange(slot, 'rearmed');
    } else if (this.#states.halfOpen(slot)) {
      this.#seen[slot] = BREAKER_STATE.HALF_OPEN;
      this.#successes[slot] = 0;
      this.#onChange(slot, 'half_open');
    }
  }

  /** A trial can start, or one has succeeded since the last look. */
  #hasMovedOn(slot: number): boolean {
    const successes = this.#states.successes(slot);
    const hasSucceeded = successes !== this.#successes[slot];
    this.#successes[slot] = successes;
    return hasSucceeded || this.#states.trialsLeft(slot) > 0;
  }

  #close(slot: number, change: BreakerChange): void {
    this.#seen[slot] = BREAKER_STATE.CLOSED;
    if (this.#states.close(slot)) this.#onChange(slot, change);
  }

  #closeLongestOpen(usedSlots: number): void {
    let longest = -1;
    for (let slot = 0; slot < usedSlots; slot++) {
      if (this.#seen[slot] === BREAKER_STATE.CLOSED) continue;
      if (longest < 0 || (this.#sinceMs[slot] ?? 0) < (this.#sinceMs[longest] ?? 0)) longest = slot;
    }
    this.#open--;
    if (longest >= 0) this.#close(longest, 'surplus');
  }

  #checkCount(): void {
    const { ejected } = this.#states;
    const wrong = this.#wrongCount;
    const isSame = wrong.ejected === ejected && wrong.open === this.#open;
    const ticks = isSame ? wrong.ticks + 1 : 1;
    this.#wrongCount = { ejected, open: this.#open, ticks };
    if (ejected !== this.#open && ticks >= TICKS_TO_CORRECT) this.#states.correctEjected(ejected, this.#open);
  }
}
