import type { ControlRegion } from '../domain/shared/control-region.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { slotOwner } from '../domain/shared/slot-owner.js';

interface Entry {
  readonly owner: number;
  readonly id: string;
  readonly address: string;
  readonly port: number;
}

/** Whose connections and bindings lie at a slot: of the backends in force, and of those removed that still have some. */
export class BackendNames {
  readonly #region: ControlRegion;
  /** By slot, so there are no more than the region has. */
  readonly #entries = new Map<number, Entry>();
  readonly #slots = new Map<string, number>();

  constructor(region: ControlRegion) {
    this.#region = region;
  }

  use(published: readonly PublishedBackend[]): void {
    for (const { slot, backend } of published) {
      const { id, address, port } = backend;
      const before = this.#entries.get(slot)?.id;
      if (before !== undefined && before !== id && this.#slots.get(before) === slot) this.#slots.delete(before);
      this.#entries.set(slot, { owner: slotOwner(this.#region, slot), id, address, port });
      this.#slots.set(id, slot);
    }
  }

  /** null where that slot has had another owner since. */
  at(slot: number, owner = slotOwner(this.#region, slot)): Omit<Entry, 'owner'> | null {
    const entry = this.#entries.get(slot);
    return entry?.owner === owner ? entry : null;
  }

  /** The slot that a backend has, or had last. */
  find(id: string): { readonly slot: number; readonly owner: number } | null {
    const slot = this.#slots.get(id);
    const owner = slot === undefined ? undefined : this.#entries.get(slot)?.owner;
    if (slot === undefined || owner === undefined || slotOwner(this.#region, slot) !== owner) return null;
    return { slot, owner };
  }
}
