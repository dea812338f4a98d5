import type { CountryLookup } from './country-lookup.js';

/** Not a country, not even none. */
const NOT_LOOKED_UP = -2;

/** The country of the client that a decision is made for: looked up when somebody first asks, and once. */
export class ClientCountry {
  #countries: CountryLookup | null = null;
  #country = NOT_LOOKED_UP;

  /** With null every client is of no country. */
  use(countries: CountryLookup | null): void {
    this.#countries = countries;
    this.#country = NOT_LOOKED_UP;
  }

  /** The next client. */
  next(): void {
    this.#country = NOT_LOOKED_UP;
  }

  /** Country number or -1; takes the words of the client's address, see CountryLookup. */
  of(w0: number, w1: number, w2: number, w3: number): number {
    if (this.#countries === null) return -1;
    if (this.#country === NOT_LOOKED_UP) this.#country = this.#countries.countryOf(w0, w1, w2, w3);
    return this.#country;
  }
}
