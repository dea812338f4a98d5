/** How many requests an address may make: a second's worth at once, then as many per second (GCRA). */
const MOST_ADDRESSES = 4096;
const MS_PER_SEC = 1000;

export class RequestRate {
  /** By address: until when what it has asked for takes, oldest first. */
  readonly #busyUntilMs = new Map<string, number>();
  #perSecond: number;

  /** 0 = any number. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  useLimit(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  /** Counts a request; 0 where it may go on, else how many milliseconds it is too early. */
  take(address: string, nowMs: number): number {
    if (this.#perSecond === 0) return 0;
    const key = clientOf(address);
    const startMs = Math.max(this.#busyUntilMs.get(key) ?? 0, nowMs);
    const waitMs = startMs - nowMs - MS_PER_SEC + MS_PER_SEC / this.#perSecond;
    if (waitMs > 0) return waitMs;
    // Anew, so that the first is the one that was not heard of for the longest time.
    this.#busyUntilMs.delete(key);
    this.#busyUntilMs.set(key, startMs + MS_PER_SEC / this.#perSecond);
    if (this.#busyUntilMs.size > MOST_ADDRESSES) this.#forgetOldest();
    return 0;
  }

  #forgetOldest(): void {
    const [oldest] = this.#busyUntilMs.keys();
    if (oldest !== undefined) this.#busyUntilMs.delete(oldest);
  }
}

/** IPv6 by its /64, which is what one customer has. */
function clientOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [front = ''] = address.split('::');
  return front.split(':').slice(0, 4).join(':');
}
