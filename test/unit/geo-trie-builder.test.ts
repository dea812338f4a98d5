import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GEO_HEADER, leafRef, NO_COUNTRY_REF } from '../../src/domain/geo/geo-layout.js';
import { GeoTable } from '../../src/domain/geo/geo-table.js';
import { GeoTrieBuilder } from '../../src/domain/geo/geo-trie-builder.js';
import { countryNumber } from '../../src/domain/regions.js';
import { lookUp } from '../support/geo-regions.js';

const US = leafRef(countryNumber('US'));
const DE = leafRef(countryNumber('DE'));
const SUMMARY = { networks: 1, buildEpochSecs: 0, databaseType: new Uint8Array() };
const MAX_REGION_BYTES = 1 << 20;

describe('GeoTrieBuilder', () => {
  it('makes one leaf of two equal leaves', () => {
    assert.equal(new GeoTrieBuilder(MAX_REGION_BYTES).pair(US, US), US);
  });

  it('makes equal nodes once, also beyond its first capacity', () => {
    const builder = new GeoTrieBuilder(MAX_REGION_BYTES);
    const refs = Array.from({ length: 20_000 }, (_, i) => builder.pair(leafRef(i), NO_COUNTRY_REF));
    assert.equal(new Set(refs).size, refs.length);
    refs.forEach((ref, i) => assert.equal(builder.pair(leafRef(i), NO_COUNTRY_REF), ref));
  });

  it('keeps a subtree that is shared at every level from multiplying', () => {
    const builder = new GeoTrieBuilder(MAX_REGION_BYTES);
    let ref = builder.pair(US, DE);
    for (let depth = 1; depth < 128; depth++) ref = builder.pair(ref, ref);
    const region = builder.finish(NO_COUNTRY_REF, ref, SUMMARY);
    assert.equal(new Int32Array(region)[GEO_HEADER.NODES], 32);
    const table = new GeoTable(region);
    assert.equal(lookUp(table, '2001:db8::2'), 'US');
    assert.equal(lookUp(table, '2001:db8::3'), 'DE');
  });

  it('takes a country away from a prefix and leaves its neighbours alone', () => {
    const builder = new GeoTrieBuilder(MAX_REGION_BYTES);
    const root = builder.without(builder.pair(US, DE), [0, 0, 0, 0, 1, 0, 1, 0]);
    const table = new GeoTable(builder.finish(root, NO_COUNTRY_REF, SUMMARY));
    const expected = {
      '9.255.255.255': 'US',
      '10.0.0.0': '',
      '10.255.255.255': '',
      '11.0.0.0': 'US',
      '200.0.0.1': 'DE',
    };
    for (const [address, country] of Object.entries(expected)) assert.equal(lookUp(table, address), country, address);
  });

  it('refuses to make a region larger than allowed', () => {
    const builder = new GeoTrieBuilder(4 * 32 + 63);
    assert.throws(() => builder.finish(builder.pair(US, DE), NO_COUNTRY_REF, SUMMARY), { code: 'EP_GEO_TOO_LARGE' });
  });
});
