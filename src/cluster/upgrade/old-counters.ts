import type { NativeAddon } from '../../adapters/outbound/native/native-addon.js';
import type { ControlRegion } from '../../domain/shared/control-region.js';
import { InheritedTotals } from '../../domain/shared/inherited-totals.js';
import type { OldRegion } from './inherited-memory.js';

const INTERVAL_MS = 1000;

/**
 * Keeps the counters of this version those of all: for as long as the older version, which has started this process, lives,
 * what it counts is carried over every second, and whenever somebody wants to know.
 */
export class OldCounters {
  readonly #native: NativeAddon;
  readonly #oldPid: number;
  readonly #timer: NodeJS.Timeout;
  #totals: InheritedTotals | null;
  #wasGone = false;

  constructor(native: NativeAddon, { pid, region }: OldRegion, to: ControlRegion) {
    this.#native = native;
    this.#oldPid = pid;
    this.#totals = new InheritedTotals(region, to);
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  catchUp(): void {
    this.#totals?.carry();
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
    if (this.#totals === null) return;
    this.#totals = null;
    // Once nothing on the stack holds its memory.
    setImmediate(() => this.#native.releaseUnusedRegions());
  }

  #look(): void {
    this.catchUp();
    // A second later: its workers end with it, but not in the same instant.
    if (this.#wasGone) this.close();
    // Whoever has lost its parent is given another one.
    this.#wasGone = process.ppid !== this.#oldPid;
  }
}
