import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { recordCountry } from '../../src/adapters/outbound/geo/record-country.js';
import { countryCode } from '../../src/domain/regions.js';

describe('recordCountry', () => {
  const cases: readonly [string, unknown, string][] = [
    ['takes the country of the address', { country: { iso_code: 'BR' }, registered_country: { iso_code: 'US' } }, 'BR'],
    ['falls back to where the network is registered', { registered_country: { iso_code: 'US' } }, 'US'],
    [
      'falls back where the country has no code',
      { country: { geoname_id: 1 }, registered_country: { iso_code: 'US' } },
      'US',
    ],
    ['takes a flat code', { country_code: 'JP' }, 'JP'],
    ['takes small letters', { country_code: 'jp' }, 'JP'],
    ['prefers the nested code', { country: { iso_code: 'BR' }, country_code: 'JP' }, 'BR'],
    ['finds none in a record of something else', { autonomous_system_number: 1221 }, ''],
    ['finds none in codes of another form', { country: { iso_code: 'BRA' }, country_code: '-' }, ''],
    ['is not taken in by letters whose capitals are two', { country_code: 'ß' }, ''],
    ['finds none where the fields have other types', { country: 'BR', registered_country: null, country_code: 7 }, ''],
    ['finds none in an array', ['BR'], ''],
    ['finds none in a text', 'BR', ''],
    ['finds none in nothing', null, ''],
    ['does not look into prototypes', Object.create({ country_code: 'BR' }), ''],
  ];
  for (const [name, record, expected] of cases) {
    it(name, () => {
      assert.equal(countryCode(recordCountry(record)), expected);
    });
  }
});
