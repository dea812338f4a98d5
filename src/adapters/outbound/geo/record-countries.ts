import { NO_COUNTRY } from '../../../domain/geo/geo-layout.js';
import { foreignMessage } from '../foreign-message.js';
import { damaged, geoError } from './geo-error.js';
import type { GeoLimits } from './geo-limits.js';
import type { MmdbFile } from './mmdb-file.js';
import { SEPARATOR_BYTES, type MmdbDatabase } from './mmdb-metadata.js';
import { recordCountry } from './record-country.js';
import { RecordGuard } from './record-guard.js';

/** Country numbers of the data section's records; each record is checked and decoded once. */
export class RecordCountries {
  readonly #file: MmdbFile;
  readonly #database: MmdbDatabase;
  readonly #guard: RecordGuard;
  /** By record pointer. */
  readonly #countries = new Map<number, number>();
  /** Networks that have a country. */
  networks = 0;

  constructor(file: MmdbFile, database: MmdbDatabase, limits: GeoLimits) {
    this.#file = file;
    this.#database = database;
    this.#guard = new RecordGuard(file.bytes, database.dataStart, database.dataEnd, limits);
  }

  /**
   * Country number behind a record pointer of the search tree. `addressOf` names an address that leads there, asked
   * only where the record is new: the reader takes addresses, not pointers.
   */
  countryOf(pointer: number, addressOf: () => string): number {
    let country = this.#countries.get(pointer);
    if (country === undefined) {
      country = this.#decode(pointer, addressOf());
      this.#countries.set(pointer, country);
    }
    if (country !== NO_COUNTRY) this.networks++;
    return country;
  }

  /** Throws EP_GEO_NO_COUNTRY where no record had a country: a database of something else. */
  expectCountries(): void {
    if (this.networks > 0) return;
    throw geoError({
      code: 'EP_GEO_NO_COUNTRY',
      path: this.#file.path,
      found: `no country in any of its ${this.#countries.size} records (database type ${JSON.stringify(this.#database.databaseType)})`,
      expected: 'country.iso_code, registered_country.iso_code or country_code',
    });
  }

  #decode(pointer: number, address: string): number {
    const { reader, nodeCount, dataStart, dataEnd } = this.#database;
    // A pointer counts from the separator in front of the data section, whose 16 bytes belong to no record.
    const offset = dataStart + pointer - nodeCount - SEPARATOR_BYTES;
    const network = `the record of ${address}`;
    if (offset < dataStart || offset >= dataEnd) {
      throw damaged(
        this.#file,
        `${network} at offset ${offset}`,
        `one in the data section, ${dataStart} to ${dataEnd}`,
      );
    }
    try {
      this.#guard.check(offset);
      return recordCountry(reader.get(address));
    } catch (error) {
      throw damaged(this.#file, `${foreignMessage(error)} (${network})`, 'a sound record of bounded size', error);
    }
  }
}
