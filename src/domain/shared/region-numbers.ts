import { MAX_REGIONS } from './layout.js';

/**
 * Small numbers for region names, valid within one routes table; 0 = none. Past MAX_REGIONS everything is 0: names are
 * numbered in the order of what can match (countries' regions, this POP's, then the backends'), so a backend's region
 * that gets none is one that no client and no POP is in.
 */
export class RegionNumbers {
  readonly #numbers = new Map<string, number>();

  of(name: string): number {
    if (name === '') return 0;
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    if (this.#numbers.size >= MAX_REGIONS) return 0;
    const number = this.#numbers.size + 1;
    this.#numbers.set(name, number);
    return number;
  }
}
