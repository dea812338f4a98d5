/**
 * Publishes the routing table; the primary has the only one.
 *
 * There are two tables. The one that is not live is written, its sequence odd meanwhile, then LIVE is switched to it by
 * one store and GENERATION tells the workers. A worker that copies the other table at that moment is not disturbed, and
 * one so slow that its table is written again under it sees the sequence and starts over.
 */
import type { Backend } from '../backend.js';
import { parseIpAddress } from '../ip-address.js';
import { countryNumber, type RegionTable } from '../regions.js';
import type { BindingTable } from './binding-table.js';
import type { ControlRegion } from './control-region.js';
import {
  COUNTRIES_AT,
  COUNTRY_LINES,
  ROUTE,
  ROUTE_FLAG,
  ROUTE_LINES,
  ROUTES_AT,
  ROUTES_CONTROL,
  ROUTES_HEADER,
  WORDS_PER_LINE,
} from './layout.js';
import { RegionNumbers } from './region-numbers.js';
import { SlotRegistry } from './slot-registry.js';

export interface PublishedBackend {
  readonly slot: number;
  readonly backend: Backend;
}

/** `no_slot`: the region has no free slot, there may be one later. */
export type LeftOutReason = 'no_slot' | 'address' | 'duplicate';

export interface PublishResult {
  readonly generation: number;
  readonly published: readonly PublishedBackend[];
  readonly leftOut: readonly { readonly id: string; readonly reason: LeftOutReason }[];
  /** Slots of removed backends that cannot be used again yet. */
  readonly retiredSlots: number;
}

const MOST = 0x7fffffff;

export class RoutesWriter {
  readonly #region: ControlRegion;
  readonly #words: Int32Array;
  readonly #slots: SlotRegistry;

  constructor(region: ControlRegion, bindings: BindingTable) {
    this.#region = region;
    this.#words = region.words;
    this.#slots = new SlotRegistry(region, bindings);
  }

  /** Every slot ever assigned is below this. */
  get usedSlots(): number {
    return this.#slots.usedSlots;
  }

  /** The slot of a backend that is published or still has connections. */
  slotOf(id: string): number | undefined {
    return this.#slots.slotOf(id);
  }

  /** Frees slots of removed backends that are nobody's any more; tells whether there were any. */
  recycle(): boolean {
    return this.#slots.recycle();
  }

  /** Makes these backends the routing table. A backend that cannot be in it is left out and named, never an exception. */
  publish(backends: readonly Backend[], regions: RegionTable, popRegion: string): PublishResult {
    this.#slots.recycle();
    const leftOut: { id: string; reason: LeftOutReason }[] = [];
    const published = new Map<string, PublishedBackend>();
    for (const backend of backends) {
      const reason = this.#admit(backend, published);
      if (reason !== null) leftOut.push({ id: backend.id, reason });
    }
    const generation = this.#switchTo([...published.values()], regions, popRegion);
    this.#slots.retireAllBut(new Set(published.keys()), generation);
    return { generation, published: [...published.values()], leftOut, retiredSlots: this.#slots.retiredSlots };
  }

  #admit(backend: Backend, published: Map<string, PublishedBackend>): LeftOutReason | null {
    if (published.has(backend.id)) return 'duplicate';
    if (parseIpAddress(backend.address) === null) return 'address';
    const slot = this.#slots.assign(backend.id);
    if (slot < 0) return 'no_slot';
    published.set(backend.id, { slot, backend });
    return null;
  }

  #switchTo(published: readonly PublishedBackend[], regions: RegionTable, popRegion: string): number {
    const control = this.#region.offsets.routesControl;
    const index = Atomics.load(this.#words, control + ROUTES_CONTROL.LIVE) === 0 ? 1 : 0;
    const sequenceAt = control + ROUTES_CONTROL.SEQUENCE + index;
    // Odd before the first word of the table: whoever copies it since the time it was live starts over.
    Atomics.add(this.#words, sequenceAt, 1);
    this.#writeTable(this.#region.offsets.routes[index], published, regions, popRegion);
    // Even after the last word.
    Atomics.add(this.#words, sequenceAt, 1);
    // The table is whole before it is live, and live before a worker is told: who sees the generation finds this table.
    Atomics.store(this.#words, control + ROUTES_CONTROL.LIVE, index);
    const next = (Atomics.load(this.#words, control + ROUTES_CONTROL.GENERATION) + 1) | 0;
    // 0 means "nothing published" and "no batch under way".
    const generation = next === 0 ? 1 : next;
    Atomics.store(this.#words, control + ROUTES_CONTROL.GENERATION, generation);
    return generation;
  }

  #writeTable(table: number, published: readonly PublishedBackend[], regions: RegionTable, popRegion: string): void {
    const numbers = new RegionNumbers();
    const countries = packCountries(regions, numbers);
    for (const [index, word] of countries.entries()) this.#put(table + COUNTRIES_AT + index, word);
    this.#put(table + ROUTES_HEADER.POP_REGION, numbers.of(popRegion));
    this.#put(table + ROUTES_HEADER.COUNT, published.length);
    for (const [index, it] of published.entries()) {
      this.#writeRoute(table + ROUTES_AT + index * ROUTE_LINES * WORDS_PER_LINE, it, numbers);
    }
  }

  #writeRoute(at: number, { slot, backend }: PublishedBackend, numbers: RegionNumbers): void {
    const health = backend.isHealthy ? ROUTE_FLAG.HEALTHY : 0;
    this.#put(at + ROUTE.SLOT, slot);
    this.#put(at + ROUTE.FLAGS, health | (backend.isDraining ? ROUTE_FLAG.DRAINING : 0));
    this.#put(at + ROUTE.WEIGHT, Math.min(backend.weight, MOST));
    this.#put(at + ROUTE.SOFT_LIMIT, Math.min(Math.max(backend.softLimit, 1), MOST));
    this.#put(at + ROUTE.HARD_LIMIT, Math.min(backend.hardLimit, MOST));
    this.#put(at + ROUTE.COUNTRY, countryNumber(backend.country));
    this.#put(at + ROUTE.REGION, numbers.of(backend.region));
    this.#put(at + ROUTE.PORT, backend.port);
    const address = parseIpAddress(backend.address);
    for (let word = 0; word < 4; word++) this.#put(at + ROUTE.ADDRESS + word, address?.[word] ?? 0);
  }

  /** Atomic although a table is not read while it is written: a plain store may pass the sequence on some processors. */
  #put(at: number, value: number): void {
    Atomics.store(this.#words, at, value);
  }
}

/** One byte per country, four to a word, the first in the lowest bits. */
function packCountries(regions: RegionTable, numbers: RegionNumbers): Int32Array {
  const words = new Int32Array(COUNTRY_LINES * WORDS_PER_LINE);
  for (const [code, name] of regions) {
    const country = countryNumber(code);
    if (country < 0) continue;
    words[country >> 2] = (words[country >> 2] ?? 0) | (numbers.of(name) << ((country & 3) * 8));
  }
  return words;
}
