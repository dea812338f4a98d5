/** What the old version remembers of its clients, for a new one with the same layout of shared memory. */
import type { NativeAddon } from '../../adapters/outbound/native/native-addon.js';
import { EdgeproxyError } from '../../domain/edgeproxy-error.js';
import { canCarry, carryBindings, carryRates } from '../../domain/shared/client-memory.js';
import { ControlRegion, type Seeds } from '../../domain/shared/control-region.js';
import { ROUTES_CONTROL } from '../../domain/shared/layout.js';

/** Backends by their slots. */
export type SlotsById = readonly (readonly [id: string, slot: number])[];

/** Shared memory of the old version, and the pid of its primary. */
export interface OldRegion {
  readonly pid: number;
  readonly region: ControlRegion;
}

/** The old version may give slots to other backends meanwhile. */
const MAX_TRIES = 3;

export class InheritedMemory {
  readonly #native: NativeAddon;
  readonly #askSlots: () => Promise<SlotsById | null>;
  #counters: OldRegion | null;
  #region: ControlRegion | null;

  /** Of the old version with that primary; takes `regionFd` over. `askSlots` asks it; null where it is gone. */
  constructor(native: NativeAddon, pid: number, regionFd: number, askSlots: () => Promise<SlotsById | null>) {
    this.#native = native;
    this.#askSlots = askSlots;
    this.#region = openRegion(native, regionFd);
    this.#counters = this.#region === null ? null : { pid, region: this.#region };
  }

  /** Where the old version counts, once: it may be read for as long as somebody has it. Null where it is of another build. */
  takeCounters(): OldRegion | null {
    const counters = this.#counters;
    this.#counters = null;
    return counters;
  }

  /** The old version's hash seeds where what it remembers fits into a region with so many sets of bindings, else null. */
  seedsFor(bindingSets: number): Seeds | null {
    if (this.#region !== null && canCarry(this.#region, bindingSets)) return this.#region.seeds();
    this.#close();
    return null;
  }

  /** Carries it over into a region that nobody uses yet; returns how many bindings that were. */
  async carryInto(region: ControlRegion, slots: SlotsById, nowSecs: number): Promise<number> {
    let carried = 0;
    if (this.#region !== null) {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const generation = generationOf(this.#region);
        const oldSlots = await this.#askSlots();
        if (oldSlots === null) break;
        carried = carryBindings(this.#region, region, translation(oldSlots, slots, this.#region), nowSecs);
        if (generationOf(this.#region) === generation) break;
      }
      carryRates(this.#region, region);
    }
    this.#close();
    return carried;
  }

  #close(): void {
    if (this.#region === null) return;
    this.#region = null;
    // Once nothing on the stack holds it.
    setImmediate(() => this.#native.releaseUnusedRegions());
  }
}

/** Null for a region of another build. */
function openRegion(native: NativeAddon, fd: number): ControlRegion | null {
  try {
    return new ControlRegion(native.mapRegion(fd));
  } catch (error) {
    if (error instanceof EdgeproxyError) return null;
    throw error;
  } finally {
    native.closeFd(fd);
  }
}

function generationOf({ words, offsets }: ControlRegion): number {
  return Atomics.load(words, offsets.routesControl + ROUTES_CONTROL.GENERATION);
}

/** The new slot of each old one, -1 where there is none. */
function translation(oldSlots: SlotsById, newSlots: SlotsById, old: ControlRegion): Int32Array {
  const newSlotOf = new Map(newSlots);
  const slotOf = new Int32Array(old.capacity.backends).fill(-1);
  for (const [id, slot] of oldSlots) slotOf[slot] = newSlotOf.get(id) ?? -1;
  return slotOf;
}
