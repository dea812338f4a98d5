/**
 * A worker's pulse and what it is burdened with: each beat says in shared memory that the loop turns, how late it was,
 * and which resources are used up; route() asks before it takes new clients.
 *
 * Between two beats two things can change too fast to wait for the next one, and are asked for with each batch: a loop
 * that stood still goes on with clients, not with its timers, so the age of the last beat counts as lag; and clients may
 * come by the thousand, so descriptors are counted again as soon as those that came may have used up what was left.
 */
import { mostDescriptors, refusalOf, shedding } from '../domain/overload/shedding.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { SHEDDING, WORKER } from '../domain/shared/layout.js';
import type { LoadGauges } from './ports/load-gauges.js';

/** The beat of each worker, which the primary's watchdog counts on. */
export const BEAT_MS = 250;
const DESCRIPTORS_PER_CLIENT = 2;

/** 0 = no bound. */
export interface LoadLimits {
  readonly overloadLagMs: number;
  readonly overloadMemoryMb: number;
  readonly overloadDescriptorsPercent: number;
}

export interface WorkerLoadOptions extends LoadLimits {
  readonly region: ControlRegion;
  readonly worker: number;
  readonly gauges: LoadGauges;
  /** CLOCK_MONOTONIC in microseconds, of which 32 bits count, as in CLOCK.MICROS. */
  readonly nowMicros: number;
}

export class WorkerLoad {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #gauges: LoadGauges;
  #mostLagMs = Infinity;
  #mostMemoryMb = Infinity;
  #descriptorsPercent = 0;
  /** The age at which a beat is overdue by more than the lag allowed. */
  #mostAgeMicros = Infinity;
  #lastBeatMicros: number;
  #bits = 0;
  #refusal = 0;
  /** How many descriptors may still be taken before they are counted again. */
  #descriptorsLeft = 0;

  constructor(options: WorkerLoadOptions) {
    const { region, worker, gauges, nowMicros } = options;
    this.#words = region.words;
    this.#at = region.workerAt(worker);
    this.#gauges = gauges;
    this.#lastBeatMicros = nowMicros;
    this.configure(options);
  }

  /** Other limits, from the next beat on. */
  configure({ overloadLagMs, overloadMemoryMb, overloadDescriptorsPercent }: LoadLimits): void {
    this.#mostLagMs = overloadLagMs > 0 ? overloadLagMs : Infinity;
    this.#mostAgeMicros = (BEAT_MS + this.#mostLagMs) * 1000;
    this.#mostMemoryMb = overloadMemoryMb > 0 ? overloadMemoryMb : Infinity;
    this.#descriptorsPercent = overloadDescriptorsPercent;
    this.#descriptorsLeft = 0;
  }

  /** To be called every BEAT_MS: what it is late by is the lag of the loop. */
  beat(nowMicros: number): void {
    const lagMs = Math.max(0, Math.floor(this.#ageMicros(nowMicros) / 1000) - BEAT_MS);
    this.#lastBeatMicros = nowMicros;
    const words = this.#words;
    // Plain words of one writer each: a reader may see the new lag with the old beat, and both are true enough.
    Atomics.store(words, this.#at + WORKER.LAG_MS, lagMs);
    Atomics.store(words, this.#at + WORKER.HEARTBEAT, ((words[this.#at + WORKER.HEARTBEAT] ?? 0) + 1) | 0);
    let bits = shedding(this.#bits, 'LAG', lagMs, this.#mostLagMs);
    // Asking the kernel costs a file, so only where somebody wants to know.
    const residentMb = this.#mostMemoryMb === Infinity ? 0 : this.#gauges.residentMb();
    bits = shedding(bits, 'MEMORY', residentMb, this.#mostMemoryMb);
    this.#take(this.#countDescriptors(bits));
  }

  /** The answer to `clients` new ones in RESPONSE.SLOT, or 0 where they are welcome. Allocates nothing. */
  refusal(nowMicros: number, clients: number): number {
    this.#descriptorsLeft -= clients * DESCRIPTORS_PER_CLIENT;
    if (this.#descriptorsLeft < 0) this.#take(this.#countDescriptors(this.#bits));
    if (this.#ageMicros(nowMicros) > this.#mostAgeMicros) this.#take(this.#bits | SHEDDING.LAG);
    return this.#refusal;
  }

  #countDescriptors(bits: number): number {
    const most = mostDescriptors(this.#gauges.descriptorLimit(), this.#descriptorsPercent);
    const used = most === Infinity ? 0 : this.#gauges.descriptors();
    const next = shedding(bits, 'DESCRIPTORS', used, most);
    // Once clients are turned away there will not be more of them: the next beat is soon enough.
    this.#descriptorsLeft = (next & SHEDDING.DESCRIPTORS) === 0 ? most - used : Infinity;
    return next;
  }

  #take(bits: number): void {
    if (bits === this.#bits) return;
    this.#bits = bits;
    this.#refusal = refusalOf(bits);
    // For the acceptor, which looks elsewhere first, and for the primary's log: nobody relies on seeing it at once.
    Atomics.store(this.#words, this.#at + WORKER.SHEDDING, bits);
  }

  /** Right for up to 71 minutes; a worker that stood still for longer is told apart by its first beat's lag no more. */
  #ageMicros(nowMicros: number): number {
    return (nowMicros - this.#lastBeatMicros) >>> 0;
  }
}
