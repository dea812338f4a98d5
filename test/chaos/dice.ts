/** Repeatable choices: the same key gives the same sequence, and keys that differ give sequences that have nothing in common. */
import { createHash } from 'node:crypto';
import { Xorshift128 } from '../../src/domain/routing/xorshift128.js';

export class Dice {
  readonly #random: Xorshift128;

  constructor(key: string) {
    const hash = createHash('md5').update(key).digest();
    this.#random = new Xorshift128([
      hash.readInt32LE(0),
      hash.readInt32LE(4),
      hash.readInt32LE(8),
      hash.readInt32LE(12),
    ]);
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.#random.next() % limit;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  /** One of the keys, each as often as its weight says. */
  pickWeighted<K extends string>(weights: Readonly<Partial<Record<K, number>>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [key, weight] of entries) {
      if (left < weight) return key;
      left -= weight;
    }
    throw new Error('no weights');
  }
}
