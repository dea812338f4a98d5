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
import { unixPathOf } from '../unix-path.js';
import type { BindingTable } from './binding-table.js';
import { ConnectTimes } from './connect-times.js';
import type { ControlRegion } from './control-region.js';
import {
  BACKEND,
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
import { PathRegistry, type Target } from './path-registry.js';
import { NO_POOLS, type PoolMembers } from './pool-members.js';
import { RegionNumbers } from './region-numbers.js';
import { SlotRegistry } from './slot-registry.js';
import { textHash } from './text-hash.js';

export interface PublishedBackend {
  readonly slot: number;
  readonly backend: Backend;
  /** See ROUTE.POOL. */
  readonly pool: number;
  /** It is a rule's own, no row of the routing database. */
  readonly isInline: boolean;
}

/** `no_slot`, `no_path`: the region has no free slot, or no place for a Unix socket's path; there may be one later. */
export type LeftOutReason = 'no_slot' | 'no_path' | 'address' | 'duplicate';

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
  readonly #connectTimes: ConnectTimes;
  readonly #paths: PathRegistry;

  constructor(region: ControlRegion, bindings: BindingTable) {
    this.#region = region;
    this.#words = region.words;
    this.#slots = new SlotRegistry(region, bindings);
    this.#connectTimes = new ConnectTimes(region);
    this.#paths = new PathRegistry(region);
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

  /** Whether a Unix socket that has no place for its path would get one. */
  hasRoomForPath(): boolean {
    return this.#paths.hasRoom();
  }

  /**
   * Makes these backends the routing table, with those that rules have of their own. A backend that cannot be in it is left
   * out and named, never an exception.
   */
  publish(
    backends: readonly Backend[],
    regions: RegionTable,
    popRegion: string,
    pools: PoolMembers = NO_POOLS,
  ): PublishResult {
    this.#slots.recycle();
    const leftOut: { id: string; reason: LeftOutReason }[] = [];
    const published = new Map<string, PublishedBackend>();
    const rows = backends.map((backend) => ({ backend, pool: pools.apps.get(backend.app) ?? 0, isInline: false }));
    // First: a rule's few do not wait for slots behind a full database.
    for (const it of [...pools.inline.map((own) => ({ ...own, isInline: true })), ...rows]) {
      const reason = this.#admit(it, published);
      if (reason !== null) leftOut.push({ id: it.backend.id, reason });
    }
    const generation = this.#switchTo([...published.values()], regions, popRegion);
    this.#slots.retireAllBut(new Set(published.keys()), generation);
    this.#paths.retireAllBut(
      Array.from(published.values(), ({ backend }) => backend.address),
      generation,
    );
    this.#setTargets([...published.values()]);
    return { generation, published: [...published.values()], leftOut, retiredSlots: this.#slots.retiredSlots };
  }

  #admit(it: Omit<PublishedBackend, 'slot'>, published: Map<string, PublishedBackend>): LeftOutReason | null {
    const { backend } = it;
    if (published.has(backend.id)) return 'duplicate';
    if (this.#targetOf(backend) === null) return unixPathOf(backend.address) === null ? 'address' : 'no_path';
    const slot = this.#slots.assign(backend.id);
    if (slot < 0) return 'no_slot';
    published.set(backend.id, { ...it, slot });
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

  #writeRoute(at: number, { slot, backend, pool, isInline }: PublishedBackend, numbers: RegionNumbers): void {
    const health = backend.isHealthy ? ROUTE_FLAG.HEALTHY : 0;
    this.#put(at + ROUTE.SLOT, slot);
    const draining = backend.isDraining ? ROUTE_FLAG.DRAINING : 0;
    this.#put(at + ROUTE.FLAGS, health | draining | (isInline ? ROUTE_FLAG.INLINE : 0));
    this.#put(at + ROUTE.POOL, pool);
    this.#put(at + ROUTE.WEIGHT, Math.min(backend.weight, MOST));
    this.#put(at + ROUTE.SOFT_LIMIT, Math.min(Math.max(backend.softLimit, 1), MOST));
    this.#put(at + ROUTE.HARD_LIMIT, Math.min(backend.hardLimit, MOST));
    this.#put(at + ROUTE.COUNTRY, countryNumber(backend.country));
    this.#put(at + ROUTE.REGION, numbers.of(backend.region));
    // Without the rule's name: rules with the same backends send a client to the same one.
    const own = isInline ? backend.id.slice(backend.id.indexOf('/') + 1) : backend.id;
    this.#put(at + ROUTE.KEY, textHash(own, 0));
    this.#put(at + ROUTE.KEY + 1, textHash(own, 1));
    const target = this.#targetOf(backend);
    this.#put(at + ROUTE.PORT, target?.port ?? 0);
    for (let word = 0; word < 4; word++) this.#put(at + ROUTE.ADDRESS + word, target?.words[word] ?? 0);
  }

  /** null where its address is none, or every path's place is taken. */
  #targetOf({ address, port }: Backend): Target | null {
    const path = unixPathOf(address);
    if (path !== null) return this.#paths.assign(path);
    const words = parseIpAddress(address);
    return words === null ? null : { port, words };
  }

  /** After the table: who still finds the old target keeps a connection a little longer, or closes one too many. */
  #setTargets(published: readonly PublishedBackend[]): void {
    const chosen = new Map(published.map(({ slot, backend }) => [slot, backend]));
    for (let slot = 0; slot < this.#slots.usedSlots; slot++) {
      const backend = chosen.get(slot);
      const line = this.#region.backendAt(slot);
      const takesClients = backend !== undefined && backend.isHealthy && !backend.isDraining;
      const target = takesClients ? this.#targetOf(backend) : null;
      if (this.#hasMoved(line, target?.words ?? null)) this.#connectTimes.forget(slot);
      this.#setTarget(line, target);
    }
  }

  #setTarget(line: number, target: Target | null): void {
    const port = target?.port ?? 0;
    const isNew = [0, 1, 2, 3].some(
      (word) => this.#words[line + BACKEND.TARGET_ADDRESS + word] !== ((target?.words[word] ?? 0) | 0),
    );
    if (!isNew && this.#words[line + BACKEND.TARGET_PORT] === port) return;
    // No port while the address is neither the old one nor the new one.
    this.#put(line + BACKEND.TARGET_PORT, 0);
    for (let word = 0; word < 4; word++) this.#put(line + BACKEND.TARGET_ADDRESS + word, target?.words[word] ?? 0);
    this.#put(line + BACKEND.TARGET_PORT, port);
  }

  /** Whether clients have been sent elsewhere than there. */
  #hasMoved(line: number, to: ArrayLike<number> | null): boolean {
    const from = this.#words.subarray(line + BACKEND.TARGET_ADDRESS, line + BACKEND.TARGET_ADDRESS + 4);
    if (to === null || from.every((word) => word === 0)) return false;
    return from.some((word, index) => word !== ((to[index] ?? 0) | 0));
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
