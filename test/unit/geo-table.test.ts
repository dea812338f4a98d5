import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  GEO_HASH,
  GEO_HEADER,
  GEO_HEADER_WORDS,
  GEO_MAGIC,
  GEO_VERSION,
  geoRegionWords,
  leafRef,
  NO_COUNTRY,
  NO_COUNTRY_REF,
  NODE_WORDS,
} from '../../src/domain/geo/geo-layout.js';
import { GeoTable } from '../../src/domain/geo/geo-table.js';
import { countryNumber } from '../../src/domain/regions.js';
import { lookUp } from '../support/geo-regions.js';

const US = leafRef(countryNumber('US'));
const DE = leafRef(countryNumber('DE'));

describe('GeoTable', () => {
  it('answers from the root where a whole family is one country', () => {
    const table = new GeoTable(region({ ipv4Root: US, ipv6Root: DE, nodes: [] }));
    assert.equal(lookUp(table, '1.2.3.4'), 'US');
    assert.equal(lookUp(table, '::ffff:1.2.3.4'), 'US');
    assert.equal(lookUp(table, '2001:db8::1'), 'DE');
  });

  it('takes four bits a step, first bits first', () => {
    const table = new GeoTable(
      region({ ipv4Root: 0, ipv6Root: NO_COUNTRY_REF, nodes: [node({ 15: 1 }), node({ 1: US })] }),
    );
    assert.equal(lookUp(table, '241.0.0.1'), 'US');
    assert.equal(lookUp(table, '31.0.0.1'), '');
    assert.equal(lookUp(table, 'f100::'), '');
  });

  it('takes signed words like unsigned ones', () => {
    const table = new GeoTable(region({ ipv4Root: 0, ipv6Root: 0, nodes: [node({ 15: US })] }));
    assert.equal(table.countryOf(0, 0, 0xffff, 0xf1000000), countryNumber('US'));
    assert.equal(table.countryOf(0, 0, 0xffff, 0xf1000000 | 0), countryNumber('US'));
    assert.equal(table.countryOf(0xf1000000 | 0, 0, 0, 0), countryNumber('US'));
  });

  it('ends after the bits of the address where the nodes form a cycle', () => {
    const loop = Int32Array.from({ length: NODE_WORDS }, () => 0);
    const table = new GeoTable(region({ ipv4Root: 0, ipv6Root: 0, nodes: [loop] }));
    assert.equal(lookUp(table, '1.2.3.4'), '');
    assert.equal(lookUp(table, '2001:db8::1'), '');
  });

  it('finds no country behind references that no builder writes', () => {
    for (const ref of [1, 2 ** 27, 2 ** 31 - 1, -(2 ** 31), leafRef(26 * 26)]) {
      const table = new GeoTable(region({ ipv4Root: 0, ipv6Root: ref, nodes: [node({ 0: ref })] }));
      assert.equal(table.countryOf(0, 0, 0xffff, 0), NO_COUNTRY, `node holds ${ref}`);
      assert.equal(table.countryOf(1, 0, 0, 0), NO_COUNTRY, `root is ${ref}`);
    }
  });

  it('refuses a region that is foreign, of another version or cut short', () => {
    const whole = region({ ipv4Root: 0, ipv6Root: 0, nodes: [node({})] });
    const changed = (word: number, value: number): SharedArrayBuffer => {
      const copy = whole.slice(0);
      new Int32Array(copy)[word] = value;
      return copy;
    };
    const cases = {
      empty: new SharedArrayBuffer(0),
      'no whole word': new SharedArrayBuffer(3),
      magic: changed(GEO_HEADER.MAGIC, 0),
      version: changed(GEO_HEADER.VERSION, GEO_VERSION + 1),
      hash: changed(GEO_HEADER.HASH, GEO_HASH + 1),
      'total words': changed(GEO_HEADER.TOTAL_WORDS, GEO_HEADER_WORDS),
      'node count': changed(GEO_HEADER.NODES, 2),
      'negative node count': negativeNodes(whole),
      'cut short': whole.slice(0, whole.byteLength - 4),
    };
    for (const [name, buffer] of Object.entries(cases)) {
      assert.throws(() => new GeoTable(buffer), { code: 'EP_GEO_REGION', source: 'internal' }, name);
    }
  });
});

function region(spec: { ipv4Root: number; ipv6Root: number; nodes: readonly Int32Array[] }): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(4 * geoRegionWords(spec.nodes.length));
  const words = new Int32Array(buffer);
  words[GEO_HEADER.MAGIC] = GEO_MAGIC;
  words[GEO_HEADER.VERSION] = GEO_VERSION;
  words[GEO_HEADER.HASH] = GEO_HASH;
  words[GEO_HEADER.TOTAL_WORDS] = words.length;
  words[GEO_HEADER.NODES] = spec.nodes.length;
  words[GEO_HEADER.IPV4_ROOT] = spec.ipv4Root;
  words[GEO_HEADER.IPV6_ROOT] = spec.ipv6Root;
  spec.nodes.forEach((entries, index) => words.set(entries, GEO_HEADER_WORDS + index * NODE_WORDS));
  return buffer;
}

function node(entries: Readonly<Record<number, number>>): Int32Array {
  return Int32Array.from({ length: NODE_WORDS }, (_, bits) => entries[bits] ?? NO_COUNTRY_REF);
}

/** Sizes that agree with each other and would make the region end before it starts. */
function negativeNodes(whole: SharedArrayBuffer): SharedArrayBuffer {
  const copy = whole.slice(0);
  const words = new Int32Array(copy);
  words[GEO_HEADER.NODES] = -1;
  words[GEO_HEADER.TOTAL_WORDS] = geoRegionWords(-1);
  return copy;
}
