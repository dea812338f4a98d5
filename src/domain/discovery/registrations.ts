/**
 * Backends that have registered themselves, and when each was last heard of. Who is not heard of for the TTL is silent: it
 * keeps its place and gets no new clients until its next heartbeat.
 */
export interface Heartbeat {
  readonly id: string;
  readonly ageMs: number;
}

interface Registration {
  /** On the caller's clock, which never jumps. */
  heartbeatMs: number;
  /** It is not yet in the routing database. */
  isUnsaved: boolean;
}

export class Registrations {
  readonly #byId = new Map<string, Registration>();
  #ttlMs: number;
  #silent: ReadonlySet<string> = new Set();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  get count(): number {
    return this.#byId.size;
  }

  /** As of the last updateSilent(). */
  get silent(): ReadonlySet<string> {
    return this.#silent;
  }

  /** Applies from the next updateSilent() on. */
  useTtl(ttlMs: number): void {
    this.#ttlMs = ttlMs;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** One that is known from the routing database; where a later heartbeat is known, that counts. */
  restore({ id, ageMs }: Heartbeat, nowMs: number): void {
    const heartbeatMs = Math.max(nowMs - ageMs, this.#byId.get(id)?.heartbeatMs ?? -Infinity);
    this.#byId.set(id, { heartbeatMs, isUnsaved: this.#byId.get(id)?.isUnsaved ?? false });
  }

  /** Has registered now, and that is saved. */
  add(id: string, nowMs: number): void {
    this.#byId.set(id, { heartbeatMs: nowMs, isUnsaved: false });
  }

  remove(id: string): void {
    this.#byId.delete(id);
  }

  /** Takes a heartbeat; false where nobody of that id has registered. */
  beat(id: string, nowMs: number): boolean {
    const registration = this.#byId.get(id);
    if (registration === undefined) return false;
    registration.heartbeatMs = nowMs;
    registration.isUnsaved = true;
    return true;
  }

  /** null where nobody of that id has registered. */
  ageMs(id: string, nowMs: number): number | null {
    const registration = this.#byId.get(id);
    return registration === undefined ? null : Math.max(0, nowMs - registration.heartbeatMs);
  }

  /** Finds out who is silent now; true where that is another set than before. */
  updateSilent(nowMs: number): boolean {
    const silent = new Set(this.silentFor(this.#ttlMs, nowMs));
    const isChange = silent.size !== this.#silent.size || [...silent].some((id) => !this.#silent.has(id));
    if (isChange) this.#silent = silent;
    return isChange;
  }

  /** Those that were not heard of for longer than that. */
  silentFor(ageMs: number, nowMs: number): string[] {
    const found: string[] = [];
    for (const [id, { heartbeatMs }] of this.#byId) if (nowMs - heartbeatMs > ageMs) found.push(id);
    return found;
  }

  /** The silent one that was not heard of for the longest time, but for those; null where there is none. */
  mostSilent(nowMs: number, except: ReadonlySet<string>): string | null {
    let oldest: { readonly id: string; readonly ageMs: number } | null = null;
    for (const id of this.#silent) {
      if (except.has(id)) continue;
      const ageMs = this.ageMs(id, nowMs) ?? 0;
      if (ageMs > (oldest?.ageMs ?? this.#ttlMs)) oldest = { id, ageMs };
    }
    return oldest?.id ?? null;
  }

  /** Those whose last heartbeat is to be saved; they count as saved from now on. */
  takeUnsaved(nowMs: number): Heartbeat[] {
    const taken: Heartbeat[] = [];
    for (const [id, registration] of this.#byId) {
      if (!registration.isUnsaved) continue;
      registration.isUnsaved = false;
      taken.push({ id, ageMs: nowMs - registration.heartbeatMs });
    }
    return taken;
  }

  /** Saving them has failed. */
  giveBack(heartbeats: readonly Heartbeat[]): void {
    for (const { id } of heartbeats) {
      const registration = this.#byId.get(id);
      if (registration !== undefined) registration.isUnsaved = true;
    }
  }

  /** Forgets those that are not there any more. */
  keepOnly(isThere: (id: string) => boolean): void {
    for (const id of this.#byId.keys()) if (!isThere(id)) this.#byId.delete(id);
  }
}
