/** Finds the country of an address, for instance in a geo database in shared memory. Never throws, allocates nothing. */
export interface CountryLookup {
  /**
   * Country number (see countryNumber) or -1. The words are those of the batch: host order, most significant first, IPv4
   * as ::ffff:a.b.c.d, each a signed 32-bit integer.
   */
  countryOf(w0: number, w1: number, w2: number, w3: number): number;
}
