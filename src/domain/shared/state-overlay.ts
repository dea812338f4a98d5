/**
 * Health, breaker and slow start over a worker's own routing table: backends that take no clients are shut in it, one
 * that warms up has a part of its weight, and the search over the table knows nothing of either.
 *
 * The states are looked at only when their generation or the table is another one: one atomic load per batch. With fewer
 * candidates available than PANIC_PERCENT of them nothing is shut: what health checks and breakers say of nearly all
 * backends at once is more likely a fault of what lies in between, and refusing everybody is the worst answer to it.
 *
 * Each pool of a rule has its own candidates and a panic of its own, and so have those of the routing database as a whole.
 */
import type { ControlRegion } from './control-region.js';
import { BACKEND, BACKEND_HEALTH, BREAKER_STATE, HEALTH_CONTROL, MAX_POOLS, WORDS_PER_LINE } from './layout.js';
import { WHOLE_WEIGHT } from './route-shares.js';
import type { RouteTable } from './route-table.js';

export class StateOverlay {
  /** Another one after each look at the states: compare for equality alone. */
  version = 0;
  /** By pool: 1 while health and breaker are ignored there; 0 is the routing database. */
  readonly #isPanic = new Uint8Array(MAX_POOLS);
  readonly #words: Int32Array;
  readonly #table: RouteTable;
  readonly #control: number;
  readonly #backends: number;
  /** Of what the table shows. */
  #generation = 0;
  #tableVersion = 0;
  /** Anything in the table differs from what was published. */
  #isApplied = false;

  constructor(region: ControlRegion, table: RouteTable) {
    this.#words = region.words;
    this.#table = table;
    this.#control = region.offsets.healthControl;
    this.#backends = region.backendAt(0);
  }

  isPanic(pool: number): boolean {
    return this.#isPanic[pool] === 1;
  }

  /** At the beginning of a batch, after the table was refilled where it had to be. */
  refresh(): void {
    // Before the states, which are written before it is raised: none that it tells of is missed. A later one may be seen
    // as well, and once more when its own generation is.
    const generation = Atomics.load(this.#words, this.#control + HEALTH_CONTROL.GENERATION);
    if (generation === this.#generation && this.#table.version === this.#tableVersion) return;
    if (this.#table.version !== this.#tableVersion) this.#isApplied = false;
    this.#generation = generation;
    this.#tableVersion = this.#table.version;
    this.apply();
  }

  /** Looks at every state now, for who has found one that the table does not show. Between two choices only. */
  apply(): void {
    this.version++;
    this.#applyToDatabase();
    if (this.#table.pooled > 0) this.#applyToPools();
  }

  #applyToDatabase(): void {
    const special = this.#survey();
    if (special === 0 && !this.#isApplied) return;
    for (let index = 0; index < this.#table.backends; index++) this.#show(this.#table.slotAt(index));
    this.#isApplied = special > 0;
  }

  /** Counts the backends that have any state, and finds out whether too few are available. */
  #survey(): number {
    const { choosable, backends } = this.#table;
    let special = 0;
    let available = choosable;
    for (let index = 0; index < backends; index++) {
      // Plain reads, here and below: ordered by the load of the generation, or by the exchange that led here.
      const line = this.#lineOf(this.#table.slotAt(index));
      const isAvailable = this.#isAvailable(line);
      if (!isAvailable || this.#word(line + BACKEND.RAMP) !== 0) special++;
      if (!isAvailable && index < choosable) available--;
    }
    this.#decideOnPanic(0, available, choosable);
    return special;
  }

  #show(slot: number): void {
    const permille = this.#permilleOf(this.#lineOf(slot), 0);
    if (permille === 0) this.#table.shut(slot);
    else this.#table.admit(slot, permille);
  }

  /** Pool after pool, as they lie in the table. */
  #applyToPools(): void {
    const table = this.#table;
    const end = table.poolFrom(0) + table.pooled;
    for (let from = table.poolFrom(0); from < end;) {
      const pool = table.pool[from] ?? 0;
      const to = table.poolTo(pool);
      this.#surveyPool(pool, from, to);
      for (let route = from; route < to; route++) this.#showRoute(pool, route);
      from = to;
    }
  }

  #surveyPool(pool: number, from: number, to: number): void {
    const { slot, weight } = this.#table;
    let choosable = 0;
    let available = 0;
    for (let route = from; route < to; route++) {
      if ((weight[route] ?? 0) === 0) continue;
      choosable++;
      if (this.#isAvailable(this.#lineOf(slot[route] ?? 0))) available++;
    }
    this.#decideOnPanic(pool, available, choosable);
  }

  #showRoute(pool: number, route: number): void {
    const permille = this.#permilleOf(this.#lineOf(this.#table.slot[route] ?? 0), pool);
    if (permille === 0) this.#table.shutRoute(route);
    else this.#table.admitRoute(route, permille);
  }

  #decideOnPanic(pool: number, available: number, choosable: number): void {
    const percent = this.#word(this.#control + HEALTH_CONTROL.PANIC_PERCENT);
    this.#isPanic[pool] = available * 100 < choosable * percent ? 1 : 0;
  }

  /** How much of its weight a backend has for now; 0 = it is shut. */
  #permilleOf(line: number, pool: number): number {
    if (!this.isPanic(pool) && this.#isShut(line)) return 0;
    // Trials are few anyway; a ramp that a breaker has before it closes is for then.
    const isClosed = this.#word(line + BACKEND.BREAKER) === BREAKER_STATE.CLOSED;
    const ramp = isClosed ? this.#word(line + BACKEND.RAMP) : 0;
    return ramp > 0 && ramp < WHOLE_WEIGHT ? ramp : WHOLE_WEIGHT;
  }

  #isAvailable(line: number): boolean {
    return this.#word(line + BACKEND.HEALTH) === 0 && this.#word(line + BACKEND.BREAKER) === 0;
  }

  #isShut(line: number): boolean {
    if (this.#word(line + BACKEND.HEALTH) === BACKEND_HEALTH.DOWN) return true;
    const state = this.#word(line + BACKEND.BREAKER);
    if (state !== BREAKER_STATE.HALF_OPEN) return state === BREAKER_STATE.OPEN;
    const limit = this.#word(this.#control + HEALTH_CONTROL.TRIALS) + this.#word(line + BACKEND.SUCCESSES);
    return this.#word(line + BACKEND.TRIALS) >= limit;
  }

  #lineOf(slot: number): number {
    return this.#backends + slot * WORDS_PER_LINE;
  }

  #word(at: number): number {
    return this.#words[at] ?? 0;
  }
}
