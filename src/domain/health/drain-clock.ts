/**
 * When the connections of draining backends are due to be closed. The time counts from when a backend was first seen
 * draining; the limit may change meanwhile. A backend that is removed while it drains goes on draining: whoever removes it
 * does not want its connections to last longer for that.
 */
export interface DrainingBackend {
  readonly id: string;
  /** Its place, and its number there (see slotOwner). */
  readonly slot: number;
  readonly owner: number;
  /** 0 = its connections are never closed. */
  readonly timeoutMs: number;
}

interface Drain extends DrainingBackend {
  readonly sinceMs: number;
  dueMs: number;
}

/** A connection can be on its way to the backend when the others are closed: its turn is the next one. */
const AGAIN_MS = 1000;

export class DrainClock {
  readonly #drains = new Map<string, Drain>();
  readonly #isHeld: (backend: DrainingBackend) => boolean;

  /** `isHeld` tells whether a backend still has its slot, and connections. */
  constructor(isHeld: (backend: DrainingBackend) => boolean) {
    this.#isHeld = isHeld;
  }

  /** When the next one is due; Infinity where none is. */
  get nextDueMs(): number {
    let nextMs = Infinity;
    for (const { dueMs } of this.#drains.values()) nextMs = Math.min(nextMs, dueMs);
    return nextMs;
  }

  /** Takes the backends that are draining now, of all those that there are. */
  update(draining: readonly DrainingBackend[], published: ReadonlySet<string>, nowMs: number): void {
    const before = new Map(this.#drains);
    this.#drains.clear();
    for (const backend of draining) this.#drains.set(backend.id, continued(backend, before.get(backend.id), nowMs));
    // Each of them holds a slot, so they are no more than there are slots.
    for (const drain of before.values()) {
      if (!published.has(drain.id) && this.#isHeld(drain)) this.#drains.set(drain.id, drain);
    }
  }

  /** Those whose connections are to be closed now. One that still has some later is given again. */
  takeDue(nowMs: number): readonly DrainingBackend[] {
    const due = [...this.#drains.values()].filter(({ dueMs }) => dueMs <= nowMs);
    for (const drain of due) drain.dueMs = nowMs + AGAIN_MS;
    return due.filter((drain) => this.#isHeld(drain));
  }
}

function continued(backend: DrainingBackend, before: Drain | undefined, nowMs: number): Drain {
  const isSame = before?.slot === backend.slot && before.owner === backend.owner;
  if (isSame && before.timeoutMs === backend.timeoutMs) return before;
  const sinceMs = isSame ? before.sinceMs : nowMs;
  return { ...backend, sinceMs, dueMs: backend.timeoutMs === 0 ? Infinity : sinceMs + backend.timeoutMs };
}
