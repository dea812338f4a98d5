import { BindingTable } from './binding-table.js';
import { ClientKey } from './client-key.js';
import type { ControlRegion } from './control-region.js';

/** Above the listener's number in the key of a binding. */
const POOL_SHIFT = 6;

/** In place of a listener in the key of a binding: bindings of pool 0 are those of a proxy without rules. */
export function affinityListener(listener: number, pool: number): number {
  return listener ^ (pool << POOL_SHIFT);
}

/** Which backend the client of a request went to last: of a listener, and of a pool, where a rule chooses from one. */
export class Affinity {
  readonly #bindings: BindingTable;
  readonly #key: ClientKey;
  /** 0 = there is none. */
  #ttlSecs = 0;

  constructor(region: ControlRegion) {
    this.#bindings = new BindingTable(region);
    this.#key = new ClientKey(region.seeds());
  }

  get isOn(): boolean {
    return this.#ttlSecs > 0;
  }

  /** 0 turns it off. */
  configure(ttlSecs: number): void {
    // The clock counts whole seconds: one more, so that no binding ends before its time.
    this.#ttlSecs = ttlSecs > 0 ? ttlSecs + 1 : 0;
  }

  /** The client that is asked about next. */
  use(listener: number, pool: number, w0: number, w1: number, w2: number, w3: number): void {
    this.#key.assign(affinityListener(listener, pool), w0, w1, w2, w3);
  }

  /** The slot that it is bound to, or -1. */
  find(nowSecs: number): number {
    return this.#bindings.find(this.#key, nowSecs, this.#ttlSecs);
  }

  /** Once its place is sure, so that nobody is bound to a backend that did not take him. */
  bind(slot: number, nowSecs: number): void {
    this.#bindings.insert(this.#key, slot, nowSecs, this.#ttlSecs);
  }
}
