import { MAX_POOLS, POOL, POOL_LINES, WORDS_PER_LINE } from '../shared/layout.js';
import type { ControlRegion } from '../shared/control-region.js';
import { textHash } from '../shared/text-hash.js';
import { rulesError } from './rules-error.js';

/**
 * The numbers of rules and of the pools of apps (see POOL): a rule keeps its number, and so its counters and its place in a
 * sequence, for as long as it is known under its name.
 */
export class RuleNumbers {
  readonly #region: ControlRegion;
  readonly #numbers = new Map<string, number>();
  readonly #used = new Set<number>();

  constructor(region: ControlRegion) {
    this.#region = region;
  }

  ofRule(name: string): number {
    return this.#of(`rule ${name}`);
  }

  ofApp(app: string): number {
    return this.#of(`app ${app}`);
  }

  /** All that are taken now, for keepOnly(). */
  get used(): ReadonlySet<number> {
    return new Set(this.#used);
  }

  /** Forgets all others: nobody counts or chooses by them any more. */
  keepOnly(numbers: ReadonlySet<number>): void {
    for (const [key, number] of this.#numbers) {
      if (numbers.has(number)) continue;
      this.#numbers.delete(key);
      this.#used.delete(number);
      // For a newer version it is nobody's from here on.
      this.#setId(number, 0, 0);
    }
  }

  #of(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#firstFree();
    this.#clear(number);
    this.#setId(number, textHash(key, 0), textHash(key, 1));
    this.#numbers.set(key, number);
    this.#used.add(number);
    return number;
  }

  #firstFree(): number {
    for (let number = 1; number < MAX_POOLS; number++) if (!this.#used.has(number)) return number;
    throw rulesError('there are too many, with those that they take the place of; try again in a moment');
  }

  /** What its last owner counted is not the new one's. */
  #clear(number: number): void {
    const line = this.#region.poolAt(number);
    for (let word = line; word < line + POOL_LINES * WORDS_PER_LINE; word++) Atomics.store(this.#region.words, word, 0);
  }

  #setId(number: number, high: number, low: number): void {
    const at = this.#region.poolAt(number) + POOL.ID;
    Atomics.store(this.#region.words, at, high);
    Atomics.store(this.#region.words, at + 1, low);
  }
}
