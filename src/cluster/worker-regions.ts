import type { NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { WorkerPlace } from './worker-place.js';
import type { WorkerProcess } from './worker-process.js';

/** A memfd whose contents every worker maps. */
export interface SentRegion {
  readonly fd: number;
  close(): void;
}

/** The regions that come through the workers' channels, as the geo database does; a new one takes the place of the old. */
export class WorkerRegions {
  readonly #native: NativeAddon;
  readonly #places: readonly WorkerPlace[];
  /** By NATIVE_REGION_KIND. */
  readonly #regions = new Map<number, SentRegion>();

  constructor(native: NativeAddon, places: readonly WorkerPlace[]) {
    this.#native = native;
    this.#places = places;
  }

  /** Gives a region to every worker, now and later; the one before of that NATIVE_REGION_KIND is closed. */
  use(kind: number, region: SentRegion): void {
    const previous = this.#regions.get(kind);
    this.#regions.set(kind, region);
    for (const { isInformed, process } of this.#places) {
      if (isInformed && process !== null) this.#send(kind, process);
    }
    previous?.close();
  }

  /** Of the one in force. */
  fdOf(kind: number): number | null {
    return this.#regions.get(kind)?.fd ?? null;
  }

  /** To a worker that has none yet. */
  sendAll(process: WorkerProcess): void {
    for (const kind of this.#regions.keys()) this.#send(kind, process);
  }

  close(): void {
    for (const region of this.#regions.values()) region.close();
    this.#regions.clear();
  }

  #send(kind: number, process: WorkerProcess): void {
    // The one in force when there is room for it: the one before is closed by then.
    void process.outbox.push(() => {
      const region = this.#regions.get(kind);
      if (region !== undefined) this.#native.sendRegion(process.primaryEnd, kind, region.fd);
    });
  }
}
