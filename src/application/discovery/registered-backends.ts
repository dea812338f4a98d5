/**
 * Auto-discovery. A change goes to the routing database first, and from there into force as every other change of it: the
 * database is the only truth, a restart finds what was there. Heartbeats are kept in memory and written in batches.
 */
import { BACKEND_DEFAULTS } from '../../domain/backend-row.js';
import { Registrations } from '../../domain/discovery/registrations.js';
import { Coalesced } from '../coalesced.js';
import type { BackendDirectory, Registration } from '../ports/backend-directory.js';
import type { ChangeOutcome, RegistrationStore, RowValues, StoredChange } from '../ports/registration-store.js';
import { ChangeQueue } from './change-queue.js';

export interface RegisteredBackendsParts {
  readonly store: RegistrationStore;
  /** Never jumps. */
  readonly nowMs: () => number;
  readonly schedule: (action: () => void, delayMs: number) => () => void;
  /** Reads the routing database now; resolves when it is in force. */
  readonly refreshRouting: () => Promise<void>;
  /** Puts the routing table into force once more, with these getting no new clients. */
  readonly useSilent: (ids: ReadonlySet<string>) => void;
  readonly onFailure: (error: unknown, what: string) => void;
  readonly onSilent: (silent: number) => void;
}

/** What a registration has that does not say otherwise; see docs/api.md. */
const DEFAULTS: RowValues = { ...BACKEND_DEFAULTS, weight: 2 };
const TICKS_PER_TTL = 20;
const SAVES_PER_TTL = 6;
const TICK_RANGE_MS = { min: 50, max: 1_000 };
const SAVE_RANGE_MS = { min: 200, max: 10_000 };
/** A silent backend is forgotten after so many TTLs, an hour where the TTL is a minute. */
const FORGOTTEN_AFTER_TTLS = 60;

export class RegisteredBackends implements BackendDirectory {
  readonly #parts: RegisteredBackendsParts;
  readonly #registrations = new Registrations(0);
  readonly #changes: ChangeQueue;
  readonly #refresh: Coalesced;
  readonly #applySilent: Coalesced;
  #isLoaded = false;
  #isForgetting = false;
  /** Those whose places somebody is about to get. */
  readonly #leaving = new Set<string>();
  #isThere: (id: string) => boolean = () => true;
  #isStopped = false;
  #ttlMs = 0;
  #cancelTick: () => void = () => undefined;
  #cancelSave: () => void = () => undefined;

  constructor(parts: RegisteredBackendsParts) {
    this.#parts = parts;
    const { nowMs, schedule } = parts;
    this.#changes = new ChangeQueue(parts.store);
    this.#refresh = new Coalesced({ run: parts.refreshRouting, nowMs, schedule });
    this.#applySilent = new Coalesced({ run: () => this.#useSilent(), nowMs, schedule });
  }

  get count(): number {
    return this.#registrations.count;
  }

  useTtl(ttlSecs: number): void {
    this.#ttlMs = ttlSecs * 1000;
    this.#registrations.useTtl(this.#ttlMs);
  }

  /** Who is registered, and who of them is silent. Never rejects: what cannot be read now is read later. */
  async load(): Promise<void> {
    try {
      const nowMs = this.#parts.nowMs();
      for (const heartbeat of await this.#parts.store.load()) this.#registrations.restore(heartbeat, nowMs);
      this.#registrations.keepOnly(this.#isThere);
      this.#isLoaded = true;
    } catch (error) {
      this.#parts.onFailure(error, 'who is registered cannot be read yet');
    }
    if (this.#registrations.updateSilent(this.#parts.nowMs())) this.#useSilent();
  }

  /**
   * Takes over from an older version, which registers nobody any more. The routing table first: who has registered there since it
   * was read would count as removed.
   */
  async takeOver(): Promise<void> {
    await this.#parts.refreshRouting();
    await this.load();
  }

  /** Looks for who has gone silent from now on. */
  start(): void {
    this.#scheduleTick();
    this.#scheduleSave();
  }

  /** Writes the latest heartbeats a last time. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick();
    this.#cancelSave();
    this.#refresh.stop();
    this.#applySilent.stop();
    await this.#save();
    await this.#parts.store.close();
  }

  /** Another routing table is in force: who is neither in it nor waits for a place in it has been removed. */
  useBackends(isThere: (id: string) => boolean): void {
    this.#isThere = isThere;
    this.#registrations.keepOnly(isThere);
  }

  async register({ id, values }: Registration): Promise<ChangeOutcome> {
    const change: StoredChange = { kind: 'register', id, values, defaults: DEFAULTS };
    let outcome = await this.#changes.submit(change);
    if (outcome.kind === 'full' && (await this.#makeRoom())) outcome = await this.#changes.submit(change);
    if (outcome.kind !== 'added' && outcome.kind !== 'changed') return outcome;
    await this.#refresh.request();
    // After the table that has it: until then it would count as removed.
    this.#registrations.add(id, this.#parts.nowMs());
    if (this.#registrations.silent.has(id)) await this.#applySilent.request();
    return outcome;
  }

  heartbeat(id: string): boolean {
    const isKnown = this.#registrations.beat(id, this.#parts.nowMs());
    if (isKnown && this.#registrations.silent.has(id)) void this.#applySilent.request();
    return isKnown;
  }

  heartbeatAgeSecs(id: string): number | null {
    const ageMs = this.#registrations.ageMs(id, this.#parts.nowMs());
    return ageMs === null ? null : Math.round(ageMs) / 1000;
  }

  async change(id: string, values: RowValues): Promise<ChangeOutcome> {
    return this.#inForce(await this.#changes.submit({ kind: 'change', id, values }));
  }

  async remove(id: string): Promise<ChangeOutcome> {
    return this.#inForce(await this.#changes.submit({ kind: 'remove', id }));
  }

  async #inForce(outcome: ChangeOutcome): Promise<ChangeOutcome> {
    if (outcome.kind === 'changed' || outcome.kind === 'removed') await this.#refresh.request();
    return outcome;
  }

  /** For one that comes while the table is full of those that have gone without a word. */
  async #makeRoom(): Promise<boolean> {
    for (;;) {
      const id = this.#registrations.mostSilent(this.#parts.nowMs(), this.#leaving);
      if (id === null) return false;
      const { kind } = await this.#removeSilent(id);
      if (kind !== 'unknown') return kind === 'removed';
      // Somebody else has removed it: it is nobody's place any more.
      this.#registrations.remove(id);
    }
  }

  /** Whoever looks for a place meanwhile gets another one. */
  async #removeSilent(id: string): Promise<ChangeOutcome> {
    this.#leaving.add(id);
    try {
      return await this.remove(id);
    } finally {
      this.#leaving.delete(id);
    }
  }

  #useSilent(): void {
    // Once more: who was heard of since the last look is not silent.
    this.#registrations.updateSilent(this.#parts.nowMs());
    this.#parts.useSilent(this.#registrations.silent);
  }

  #scheduleTick(): void {
    if (this.#isStopped) return;
    this.#cancelTick = this.#parts.schedule(
      () => void this.#tick().finally(() => this.#scheduleTick()),
      within(TICK_RANGE_MS, this.#ttlMs / TICKS_PER_TTL),
    );
  }

  async #tick(): Promise<void> {
    if (!this.#isLoaded) await this.load();
    const before = this.#registrations.silent.size;
    if (this.#registrations.updateSilent(this.#parts.nowMs())) {
      const { size } = this.#registrations.silent;
      if (size > before) this.#parts.onSilent(size);
      await this.#applySilent.request();
    }
    void this.#forget();
  }

  async #forget(): Promise<void> {
    if (this.#isForgetting) return;
    this.#isForgetting = true;
    const ids = this.#registrations.silentFor(FORGOTTEN_AFTER_TTLS * this.#ttlMs, this.#parts.nowMs());
    try {
      await Promise.all(ids.map((id) => this.remove(id)));
    } catch (error) {
      this.#parts.onFailure(error, 'backends that went silent long ago cannot be removed');
    }
    this.#isForgetting = false;
  }

  #scheduleSave(): void {
    if (this.#isStopped) return;
    this.#cancelSave = this.#parts.schedule(
      () => void this.#save().finally(() => this.#scheduleSave()),
      within(SAVE_RANGE_MS, this.#ttlMs / SAVES_PER_TTL),
    );
  }

  async #save(): Promise<void> {
    const heartbeats = this.#registrations.takeUnsaved(this.#parts.nowMs());
    if (heartbeats.length === 0) return;
    try {
      await this.#changes.save(heartbeats);
    } catch (error) {
      this.#registrations.giveBack(heartbeats);
      this.#parts.onFailure(error, 'heartbeats cannot be saved; they count all the same');
    }
  }
}

function within({ min, max }: { readonly min: number; readonly max: number }, value: number): number {
  return Math.min(Math.max(value, min), max);
}
