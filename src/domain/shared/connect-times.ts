/**
 * How long connecting to each backend takes: BACKEND.CONNECT_MICROS. Workers measure where they connect
 * (native/engine/connect_time.h, which explains the rule), the primary with its health checks.
 */
import type { ControlRegion } from './control-region.js';
import { BACKEND } from './layout.js';

const MOST_MICROS = 0x7fffffff;

export class ConnectTimes {
  readonly #region: ControlRegion;

  constructor(region: ControlRegion) {
    this.#region = region;
  }

  /** Microseconds, 0 = not measured. */
  of(slot: number): number {
    return Atomics.load(this.#region.words, this.#at(slot));
  }

  /** Takes another measure into the average. One that a worker takes at the same moment may be lost: the next is as good. */
  measured(slot: number, sampleMicros: number): void {
    // Atomic as other processes write it; it stands for itself, so in no order with anything else.
    Atomics.store(this.#region.words, this.#at(slot), nextConnectMicros(this.of(slot), sampleMicros));
  }

  /** For a slot whose backend is another one, or elsewhere. */
  forget(slot: number): void {
    Atomics.store(this.#region.words, this.#at(slot), 0);
  }

  #at(slot: number): number {
    return this.#region.backendAt(slot) + BACKEND.CONNECT_MICROS;
  }
}

/** The average after another measure. */
export function nextConnectMicros(average: number, sampleMicros: number): number {
  const sample = Math.min(Math.max(Math.round(sampleMicros), 1), MOST_MICROS);
  if (average <= 0) return sample;
  if (sample <= average) return average - Math.ceil((average - sample) / 2);
  return average + Math.ceil(Math.min(sample - average, average) / 8);
}
