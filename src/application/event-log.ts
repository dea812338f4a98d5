/** The latest warnings and errors of the log, for those who ask the API. */
import type { ProxyEvent } from './ports/proxy-view.js';

const MOST_EVENTS = 200;

export class EventLog {
  readonly #now: () => number;
  /** A ring: `#next` is the place of the oldest once it is full. */
  readonly #events: ProxyEvent[] = [];
  #next = 0;

  /** `now` in milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  note(kind: ProxyEvent['kind'], context: object, reason: string): void {
    this.#events[this.#next] = { timeMs: this.#now(), kind, reason, context };
    this.#next = (this.#next + 1) % MOST_EVENTS;
  }

  /** Oldest first. */
  get latest(): readonly ProxyEvent[] {
    if (this.#events.length < MOST_EVENTS) return [...this.#events];
    return [...this.#events.slice(this.#next), ...this.#events.slice(0, this.#next)];
  }
}
