import { countryNumber } from '../../../domain/regions.js';

const TWO_LETTERS = /^[A-Za-z]{2}$/;

/**
 * Country number of one decoded record, or NO_COUNTRY: where the address is (`country.iso_code` of GeoIP2 and GeoLite2),
 * else where its network is registered (`registered_country.iso_code`, for satellites and anycast), else the flat
 * `country_code`. A code that is not two letters counts as absent.
 */
export function recordCountry(record: unknown): number {
  const code =
    countryCodeIn(field(record, 'country'), 'iso_code') ??
    countryCodeIn(field(record, 'registered_country'), 'iso_code') ??
    countryCodeIn(record, 'country_code');
  return countryNumber((code ?? '').toUpperCase());
}

function countryCodeIn(record: unknown, name: string): string | undefined {
  const code = field(record, name);
  return typeof code === 'string' && TWO_LETTERS.test(code) ? code : undefined;
}

function field(record: unknown, name: string): unknown {
  if (typeof record !== 'object' || record === null) return undefined;
  return Object.getOwnPropertyDescriptor(record, name)?.value;
}
