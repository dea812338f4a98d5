/** Something that is due at a time. Both are the queue's while it holds the entry. */
export interface DueEntry {
  dueMs: number;
  /** Place in the heap, -1 = not queued. */
  queueIndex: number;
}

/** A binary heap by time: each entry at most once, and found again in O(1), so that what is removed leaves nothing behind. */
export class DueQueue<T extends DueEntry> {
  readonly #heap: T[] = [];

  /** When the first is due; Infinity where there is none. */
  get nextDueMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Queues the entry, or moves it where it is queued already. */
  put(entry: T, dueMs: number): void {
    entry.dueMs = dueMs;
    if (entry.queueIndex < 0) entry.queueIndex = this.#heap.push(entry) - 1;
    this.#settle(entry);
  }

  /** Idempotent. */
  remove(entry: T): void {
    const index = entry.queueIndex;
    if (index < 0) return;
    entry.queueIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, index);
    this.#settle(last);
  }

  /** Takes the first entry that is due by `nowMs`. */
  takeDue(nowMs: number): T | null {
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return null;
    this.remove(first);
    return first;
  }

  #settle(entry: T): void {
    this.#rise(entry);
    this.#sink(entry);
  }

  #rise(entry: T): void {
    while (entry.queueIndex > 0) {
      const parent = this.#heap[(entry.queueIndex - 1) >> 1];
      if (parent === undefined || parent.dueMs <= entry.dueMs) return;
      this.#swap(entry, parent);
    }
  }

  #sink(entry: T): void {
    for (;;) {
      const left = this.#heap[2 * entry.queueIndex + 1];
      const right = this.#heap[2 * entry.queueIndex + 2];
      const child = right !== undefined && left !== undefined && right.dueMs < left.dueMs ? right : left;
      if (child === undefined || child.dueMs >= entry.dueMs) return;
      this.#swap(child, entry);
    }
  }

  #swap(one: T, other: T): void {
    const index = one.queueIndex;
    this.#place(one, other.queueIndex);
    this.#place(other, index);
  }

  #place(entry: T, index: number): void {
    this.#heap[index] = entry;
    entry.queueIndex = index;
  }
}
