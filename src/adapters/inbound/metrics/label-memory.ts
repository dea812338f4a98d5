import type { Labels } from '../../../application/metrics/metric-catalogue.js';

/**
 * What was made of labels, for as long as the same ones come at the same place. Not a WeakMap: with tens of thousands of
 * entries that makes every small garbage collection a slow one, which was half of what a scrape took.
 */
export class LabelMemory<T> {
  readonly #make: (labels: Labels) => T;
  readonly #known: { readonly labels: Labels; readonly made: T }[] = [];

  constructor(make: (labels: Labels) => T) {
    this.#make = make;
  }

  of(place: number, labels: Labels): T {
    const known = this.#known[place];
    if (known?.labels === labels) return known.made;
    const made = this.#make(labels);
    this.#known[place] = { labels, made };
    return made;
  }

  /** Forgets what came at this place and after it. */
  forgetFrom(place: number): void {
    if (this.#known.length > place) this.#known.length = place;
  }
}
