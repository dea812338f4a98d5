/**
 * Slow start: a backend that newly appears, or comes back, begins with a small part of its weight, which rises to all of
 * it in even steps. One that has just started has cold caches and empty pools, and by its load alone, none, it would get
 * every next client.
 *
 * Those of the first table have all of their weight at once: then there is nobody warmer.
 *
 * Whoever makes a backend available again, a health check or a worker that closes its breaker, gives it the first part
 * before that (BackendStates, native/engine/breaker.cc): by the next tick it would have had a herd. So a ramp may begin
 * that no tick has begun; wherever one is found, the tick goes on from there.
 */
import type { BackendStates } from './backend-states.js';
import { WHOLE_WEIGHT } from './route-shares.js';

/** Per mille. */
const FIRST_PART = 50;

interface Rise {
  /** When it was at its first part, or would have been. */
  readonly sinceMs: number;
  /** What the last tick has set. */
  part: number;
}

export class SlowStart {
  readonly #states: BackendStates;
  /** By slot: whether it could have clients at the last tick. */
  readonly #wasAvailable: Uint8Array;
  readonly #rising = new Map<number, Rise>();
  #durationMs = 0;
  #isFirst = true;

  constructor(states: BackendStates, slots: number) {
    this.#states = states;
    this.#wasAvailable = new Uint8Array(slots);
  }

  /** 0 = off, also for those that are rising. */
  configure(durationMs: number): void {
    this.#durationMs = durationMs;
    this.#states.setInitialRamp(durationMs > 0 ? FIRST_PART : 0);
  }

  /** The next tick has something to do, although nothing changes. */
  get isWaiting(): boolean {
    return this.#rising.size > 0;
  }

  /** Looks at the slots below `usedSlots`; `takesClients` tells of one what the routing database says. */
  tick(nowMs: number, usedSlots: number, takesClients: (slot: number) => boolean): void {
    for (let slot = 0; slot < usedSlots; slot++) {
      const wasAvailable = this.#wasAvailable[slot] === 1;
      const isAvailable = takesClients(slot) && this.#states.isAvailable(slot);
      this.#wasAvailable[slot] = isAvailable ? 1 : 0;
      if (isAvailable) this.#look(slot, nowMs, !wasAvailable && !this.#isFirst);
      else if (wasAvailable) this.#end(slot);
    }
    this.#isFirst = false;
    for (const [slot, rise] of this.#rising) this.#rise(slot, rise, nowMs - rise.sinceMs);
  }

  /** Begins where the backend is new, and wherever its part is not what the last tick has set. */
  #look(slot: number, nowMs: number, isNew: boolean): void {
    const part = this.#states.ramp(slot);
    if (!isNew && part === (this.#rising.get(slot)?.part ?? 0)) return;
    this.#rising.set(slot, { sinceMs: nowMs - this.#elapsedMsAt(part), part });
  }

  #elapsedMsAt(part: number): number {
    return (Math.max(0, part - FIRST_PART) * this.#durationMs) / (WHOLE_WEIGHT - FIRST_PART);
  }

  #rise(slot: number, rise: Rise, elapsedMs: number): void {
    if (elapsedMs >= this.#durationMs) return this.#end(slot);
    rise.part = Math.floor(FIRST_PART + ((WHOLE_WEIGHT - FIRST_PART) * elapsedMs) / this.#durationMs);
    this.#states.setRamp(slot, rise.part);
  }

  #end(slot: number): void {
    this.#rising.delete(slot);
    this.#states.setRamp(slot, 0);
  }
}
