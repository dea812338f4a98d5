import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countryCode, countryNumber, regionTable } from '../../src/domain/regions.js';
import { COUNTRIES } from '../../src/domain/shared/layout.js';

describe('countries and regions', () => {
  it('puts every country of ISO 3166-1 into one of the four regions', () => {
    const table = regionTable();
    // 249 assigned codes, and XK.
    assert.equal(table.size, 250);
    assert.deepEqual([...new Set(table.values())].sort(), ['ap', 'eu', 'sa', 'us']);
    const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
    for (const code of table.keys()) assert.notEqual(names.of(code), undefined, code);
  });

  it('keeps the lists that users know', () => {
    const table = regionTable();
    const lists = {
      sa: 'BR AR CL PE CO UY PY BO EC VE',
      us: 'US CA MX',
      eu: 'PT ES FR DE NL IT GB IE BE CH AT PL CZ SE NO DK FI RU UA',
      ap: 'JP KR TW HK SG MY TH VN ID PH AU NZ CN IN',
    };
    for (const [region, codes] of Object.entries(lists)) {
      for (const code of codes.split(' ')) assert.equal(table.get(code), region, code);
    }
  });

  it('sends the others to the nearest region by continent', () => {
    const table = regionTable();
    const expected = { NG: 'eu', ZA: 'eu', AE: 'eu', TR: 'eu', IR: 'eu', GR: 'eu', PA: 'us', CU: 'us', GL: 'us' };
    const more = { GY: 'sa', FK: 'sa', AQ: 'sa', KZ: 'ap', PK: 'ap', FJ: 'ap', PF: 'ap' };
    for (const [code, region] of Object.entries({ ...expected, ...more })) assert.equal(table.get(code), region, code);
  });

  it('lets a configuration move a country, add one and take one away', () => {
    const table = regionTable({ MX: 'sa', ZZ: 'moon', BR: '' });
    assert.equal(table.get('MX'), 'sa');
    assert.equal(table.get('ZZ'), 'moon');
    assert.equal(table.has('BR'), false);
  });

  it('refuses an override of something that is no country code', () => {
    for (const code of ['br', 'BRA', 'B', '', 'B1']) {
      assert.throws(() => regionTable({ [code]: 'sa' }), { code: 'EP_REGION_TABLE', source: 'config' });
    }
  });

  it('refuses more regions than a byte can name', () => {
    const codes = Array.from({ length: COUNTRIES }, (_, country) => countryCode(country)).slice(0, 300);
    const overrides = Object.fromEntries(codes.map((code) => [code, `region-${code}`]));
    assert.throws(() => regionTable(overrides), { code: 'EP_REGION_TABLE' });
  });

  it('numbers countries back and forth', () => {
    for (let country = 0; country < COUNTRIES; country++) assert.equal(countryNumber(countryCode(country)), country);
    for (const code of ['', 'br', 'B', 'BRA', 'ÄÖ', 'A\n']) assert.equal(countryNumber(code), -1, code);
    for (const number of [-1, COUNTRIES, 1.5, NaN]) assert.equal(countryCode(number), '');
  });
});
