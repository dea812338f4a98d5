/** The bindings in shared memory, read and removed a slice at a time: there may be millions. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BindingFilter, BindingInfo, BindingPage, Bindings } from '../application/ports/bindings.js';
import { affinityListener } from '../domain/shared/affinity.js';
import { BindingTable, type Binding } from '../domain/shared/binding-table.js';
import { ClientKey } from '../domain/shared/client-key.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { BINDING_WAYS } from '../domain/shared/layout.js';
import type { BackendNames } from './backend-names.js';

/** About a millisecond's work. */
const SETS_PER_SLICE = 2048;
const KEYS_PER_SLICE = 2048;
/** Of one page: a filter that few pass would have it walk over everything. */
const MOST_SLICES = 256;

export interface BindingDirectoryParts {
  readonly region: ControlRegion;
  readonly backends: BackendNames;
  readonly listenerIds: () => Iterable<number>;
  /** Numbers of all that clients can be bound in, 0 among them. */
  readonly pools: () => Iterable<number>;
  readonly nowSecs: () => number;
}

export class BindingDirectory implements Bindings {
  readonly #parts: BindingDirectoryParts;
  readonly #table: BindingTable;

  constructor(parts: BindingDirectoryParts) {
    this.#parts = parts;
    this.#table = new BindingTable(parts.region);
  }

  async list(filter: BindingFilter, from: number, limit: number): Promise<BindingPage> {
    const slot = this.#slotOf(filter);
    if (slot === null) return { bindings: [], next: null };
    if (filter.client !== undefined) return this.#listClient(filter.client, slot, from, limit);
    const found: Binding[] = [];
    const last = Math.min(this.#table.sets, Math.floor(from / BINDING_WAYS) + MOST_SLICES * SETS_PER_SLICE);
    let position = from;
    while (position < last * BINDING_WAYS && found.length < limit) {
      position = this.#slice(slot, position, limit, found);
      await nextTurn();
    }
    const next = position < this.#table.sets * BINDING_WAYS ? position : null;
    return { bindings: found.map((it) => this.#describe(it)), next };
  }

  /** Returns the position behind the last one that is found or passed. */
  #slice(slot: number, from: number, limit: number, found: Binding[]): number {
    const first = Math.floor(from / BINDING_WAYS);
    const end = Math.min(first + SETS_PER_SLICE, this.#table.sets);
    const nowSecs = this.#parts.nowSecs();
    for (let set = first; set < end; set++) {
      for (const binding of this.#table.inSet(set, set === first ? from % BINDING_WAYS : 0, slot, nowSecs)) {
        if (found.length === limit) return set * BINDING_WAYS + binding.way;
        found.push(binding);
      }
    }
    return end * BINDING_WAYS;
  }

  async remove(filter: BindingFilter): Promise<number> {
    const slot = this.#slotOf(filter);
    if (slot === null) return 0;
    let removed = 0;
    if (filter.client !== undefined) {
      for await (const key of this.#keysOf(filter.client)) removed += this.#table.remove(key, slot);
      return removed;
    }
    for (let set = 0; set < this.#table.sets; set += SETS_PER_SLICE) {
      removed += this.#table.removeAll(slot, set, set + SETS_PER_SLICE);
      await nextTurn();
    }
    return removed;
  }

  async #listClient(client: Uint32Array, slot: number, from: number, limit: number): Promise<BindingPage> {
    const found: Binding[] = [];
    for await (const key of this.#keysOf(client)) {
      const binding = this.#table.peek(key, this.#parts.nowSecs());
      if (binding !== null && (slot < 0 || slot === binding.slot)) found.push(binding);
    }
    const bindings = found.slice(from, from + limit).map((it) => this.#describe(it));
    return { bindings, next: from + limit < found.length ? from + limit : null };
  }

  /** Of every listener and pool: a client is bound in each of them for itself. */
  async *#keysOf([w0 = 0, w1 = 0, w2 = 0, w3 = 0]: Uint32Array): AsyncGenerator<ClientKey> {
    const key = new ClientKey(this.#parts.region.seeds());
    const pools = [...this.#parts.pools()];
    let keys = 0;
    for (const listener of this.#parts.listenerIds()) {
      for (const pool of pools) {
        key.assign(affinityListener(listener, pool), w0, w1, w2, w3);
        yield key;
        if (++keys % KEYS_PER_SLICE === 0) await nextTurn();
      }
    }
  }

  /** -1 = of any; null where there is no such backend. */
  #slotOf({ backend }: BindingFilter): number | null {
    return backend === undefined ? -1 : (this.#parts.backends.find(backend)?.slot ?? null);
  }

  #describe({ tag, check, slot, secsLeft }: Binding): BindingInfo {
    const hex = (number: number, digits: number): string => (number >>> 0).toString(16).padStart(digits, '0');
    const key = hex(tag, 8) + hex(check, 4);
    return { key, backend: this.#parts.backends.at(slot)?.id ?? null, slot, expiresInSecs: secsLeft };
  }
}
