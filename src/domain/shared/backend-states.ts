/**
 * What the primary knows and decides of each backend beside its row in the routing database: health, breaker, slow start.
 *
 *     CLOSED ── a worker, FAILURES in a row ──► OPEN ── the primary, after a time ──► HALF_OPEN
 *        ▲                                        ▲                                      │ │
 *        │                                        └── a worker, one trial fails ─────────┘ │
 *        └────────────────────── a worker, enough trials succeed ──────────────────────────┘
 *
 * Workers change the breaker in native/engine/breaker.cc. EJECTED counts the breakers that are not closed: it is raised
 * before one opens and lowered after it has closed, so a process that dies in between leaves it too high and never too
 * low. Every change raises GENERATION after it, so whoever sees the new generation sees the change.
 */
import type { ControlRegion } from './control-region.js';
import { BACKEND, BACKEND_HEALTH, BREAKER_STATE, HEALTH_CONTROL } from './layout.js';

export interface BackendStateSettings {
  /** Failures in a row that open a breaker; 0 = there is none. */
  readonly failureThreshold: number;
  readonly successThreshold: number;
  /** Trial connections at a time. */
  readonly trials: number;
  readonly panicPercent: number;
}

export class BackendStates {
  readonly #region: ControlRegion;
  readonly #words: Int32Array;
  readonly #control: number;
  /** Changes of together() so far, -1 outside it. */
  #changes = -1;

  constructor(region: ControlRegion) {
    this.#region = region;
    this.#words = region.words;
    this.#control = region.offsets.healthControl;
  }

  /** Another one after every change; compare for equality alone. */
  get generation(): number {
    return this.#load(this.#control + HEALTH_CONTROL.GENERATION);
  }

  /** Backends whose breaker is not closed, by the count that workers go by. */
  get ejected(): number {
    return this.#load(this.#control + HEALTH_CONTROL.EJECTED);
  }

  get maxEjected(): number {
    return this.#load(this.#control + HEALTH_CONTROL.MAX_EJECTED);
  }

  isUp(slot: number): boolean {
    return this.#load(this.#at(slot, BACKEND.HEALTH)) !== BACKEND_HEALTH.DOWN;
  }

  /** One of BREAKER_STATE. */
  breaker(slot: number): number {
    return this.#load(this.#at(slot, BACKEND.BREAKER));
  }

  /** Up, and not ejected: takes the clients that are due to it. */
  isAvailable(slot: number): boolean {
    return this.isUp(slot) && this.breaker(slot) === BREAKER_STATE.CLOSED;
  }

  /** Per mille of its weight that the backend has for now; 0 = all of it. */
  ramp(slot: number): number {
    return this.#load(this.#at(slot, BACKEND.RAMP));
  }

  /** Trial connections that a half-open breaker still lets through; 0 or less = none. */
  trialsLeft(slot: number): number {
    const limit = this.#load(this.#control + HEALTH_CONTROL.TRIALS);
    return limit + this.successes(slot) - this.#load(this.#at(slot, BACKEND.TRIALS));
  }

  /** Tells whether that is a change. */
  setHealth(slot: number, isUp: boolean): boolean {
    if (isUp && !this.isUp(slot)) this.#startRamp(slot);
    return this.#set(this.#at(slot, BACKEND.HEALTH), isUp ? BACKEND_HEALTH.UP : BACKEND_HEALTH.DOWN);
  }

  /** See ramp(); tells whether that is a change. */
  setRamp(slot: number, permille: number): boolean {
    return this.#set(this.#at(slot, BACKEND.RAMP), permille);
  }

  /** Lets trial connections through an open breaker; false where it is not open. */
  halfOpen(slot: number): boolean {
    // Before anything is changed: trials of one that is half-open already are under way. Workers leave an open one alone.
    const at = this.#at(slot, BACKEND.BREAKER);
    if (this.#load(at) !== BREAKER_STATE.OPEN) return false;
    // Both before the state: a worker that finds it half-open counts from 0.
    Atomics.store(this.#words, this.#at(slot, BACKEND.SUCCESSES), 0);
    Atomics.store(this.#words, this.#at(slot, BACKEND.TRIALS), 0);
    Atomics.store(this.#words, at, BREAKER_STATE.HALF_OPEN);
    this.touch();
    return true;
  }

  /** Gives up on the trials under way, whose clients left or whose worker died: as many others may start. */
  rearm(slot: number): void {
    // A success counted between the two lets one more start, which is what a success does.
    Atomics.store(this.#words, this.#at(slot, BACKEND.TRIALS), this.successes(slot));
    this.touch();
  }

  /** Trials that have succeeded since the breaker became half-open. */
  successes(slot: number): number {
    return this.#load(this.#at(slot, BACKEND.SUCCESSES));
  }

  /** Tells whether the breaker was not closed. */
  close(slot: number): boolean {
    // Both before the state: a worker counts failures of a closed breaker only, so from 0, and slow start is under way.
    Atomics.store(this.#words, this.#at(slot, BACKEND.FAILURES), 0);
    if (this.breaker(slot) !== BREAKER_STATE.CLOSED) this.#startRamp(slot);
    const found = Atomics.exchange(this.#words, this.#at(slot, BACKEND.BREAKER), BREAKER_STATE.CLOSED);
    if (found === BREAKER_STATE.CLOSED) return false;
    // After the state, and once for the one who changed it.
    Atomics.sub(this.#words, this.#control + HEALTH_CONTROL.EJECTED, 1);
    this.touch();
    return true;
  }

  /** For a slot that gets another owner, while no worker can choose it. */
  reset(slot: number): void {
    this.close(slot);
    this.setHealth(slot, true);
    this.setRamp(slot, 0);
  }

  /** Replaces a count of ejected backends that has gone wrong, unless it has changed since it was read. */
  correctEjected(seen: number, right: number): void {
    Atomics.compareExchange(this.#words, this.#control + HEALTH_CONTROL.EJECTED, seen, right);
  }

  /** With a threshold of 0 no worker opens a breaker from now on; those that are open stay so until closed. */
  configure({ failureThreshold, successThreshold, trials, panicPercent }: BackendStateSettings): void {
    const changes = [
      this.#store(this.#control + HEALTH_CONTROL.FAILURE_THRESHOLD, failureThreshold),
      this.#store(this.#control + HEALTH_CONTROL.SUCCESS_THRESHOLD, successThreshold),
      this.#store(this.#control + HEALTH_CONTROL.TRIALS, trials),
      this.#store(this.#control + HEALTH_CONTROL.PANIC_PERCENT, panicPercent),
    ];
    if (changes.includes(true)) this.touch();
  }

  /** Per mille of its weight with which a backend comes back; 0 = all of it. */
  setInitialRamp(permille: number): void {
    this.#store(this.#control + HEALTH_CONTROL.INITIAL_RAMP, permille);
  }

  setMaxEjected(backends: number): void {
    this.#store(this.#control + HEALTH_CONTROL.MAX_EJECTED, backends);
  }

  /** One generation for all that `change` changes. */
  together(change: () => void): void {
    this.#changes = 0;
    try {
      change();
    } finally {
      const changes = this.#changes;
      this.#changes = -1;
      if (changes > 0) this.touch();
    }
  }

  /** Lets every worker look at all states again. */
  touch(): void {
    if (this.#changes >= 0) {
      this.#changes++;
      return;
    }
    // After the change that it tells of: a worker that loads the new value finds the change.
    Atomics.add(this.#words, this.#control + HEALTH_CONTROL.GENERATION, 1);
  }

  /** The change of state that follows is what workers look for: who finds the backend back finds its ramp. */
  #startRamp(slot: number): void {
    this.#store(this.#at(slot, BACKEND.RAMP), this.#load(this.#control + HEALTH_CONTROL.INITIAL_RAMP));
  }

  #set(at: number, value: number): boolean {
    const isChange = this.#store(at, value);
    if (isChange) this.touch();
    return isChange;
  }

  /** Tells whether the word had another value. */
  #store(at: number, value: number): boolean {
    // Atomic, so that it cannot be moved past the generation that tells of it.
    return Atomics.exchange(this.#words, at, value) !== value;
  }

  #load(at: number): number {
    // Atomic: never older than what this process has been told of.
    return Atomics.load(this.#words, at);
  }

  #at(slot: number, word: number): number {
    return this.#region.backendAt(slot) + word;
  }
}
