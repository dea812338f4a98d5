import type { AccessEntry } from '../../../domain/access-log/access-entry.js';
import type { AccessNames } from '../../../domain/access-log/access-lines.js';
import { NamesInTime } from '../../../domain/access-log/names-in-time.js';
import type { GeoTable } from '../../../domain/geo/geo-table.js';
import { countryCode } from '../../../domain/regions.js';
import type { NameKind } from './access-log-messages.js';

/** What was in force when the connection needed it. */
export class EntryNames implements AccessNames {
  readonly #names = { listener: new NamesInTime(), rule: new NamesInTime(), backend: new NamesInTime() };
  #countries: GeoTable | null = null;

  add(kind: NameKind, names: readonly (readonly [number: number, name: string])[], sinceUs: number): void {
    for (const [number, name] of names) this.#names[kind].add(number, name, sinceUs);
  }

  useCountries(countries: GeoTable): void {
    this.#countries = countries;
  }

  listener({ listener, beganUs }: AccessEntry): string | null {
    return this.#names.listener.at(listener, beganUs);
  }

  rule({ rule, routedUs }: AccessEntry): string | null {
    return rule === 0 ? null : this.#names.rule.at(rule, routedUs);
  }

  /** Its slot is the backend's for as long as the connection has it. */
  backend({ slot, connectedUs, endedUs }: AccessEntry): string | null {
    return slot < 0 ? null : this.#names.backend.at(slot, connectedUs === 0 ? endedUs : connectedUs);
  }

  country({ address: [word0, word1, word2, word3] }: AccessEntry): string | null {
    const code = countryCode(this.#countries?.countryOf(word0, word1, word2, word3) ?? -1);
    return code === '' ? null : code;
  }
}
