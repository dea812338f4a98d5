/** The loader on the files of the MaxMind DB project, and on files made to break loaders. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GeoTable } from '../../src/domain/geo/geo-table.js';
import { EmbeddedGeoSource } from '../../src/adapters/outbound/geo/embedded-geo-source.js';
import { compileGeo } from '../../src/adapters/outbound/geo/geo-compile.worker.js';
import { geoError } from '../../src/adapters/outbound/geo/geo-error.js';
import { DEFAULT_GEO_LIMITS } from '../../src/adapters/outbound/geo/geo-limits.js';
import { MmdbGeoSource } from '../../src/adapters/outbound/geo/mmdb-geo-source.js';
import { FakeRegionMaker, lookUp } from '../support/geo-regions.js';

const DATA = fileURLToPath(new URL('../../../shared/data/mmdb/', import.meta.url));
const BAD = `${DATA}bad/`;
const maker = new FakeRegionMaker();

describe('MaxMind databases', () => {
  const known = {
    '2.125.160.216': 'GB',
    '89.160.20.112': 'SE',
    '216.160.83.56': 'US',
    '2001:218::': 'JP',
    '127.0.0.1': '',
  };
  const databases: Record<string, Record<string, string>> = {
    'GeoLite2-Country-Test.mmdb': { ...known, '111.235.160.0': 'CN' },
    'GeoIP2-Country-Test.mmdb': { ...known, '111.235.160.0': 'CN' },
    'GeoLite2-City-Test.mmdb': known,
  };
  for (const [name, expected] of Object.entries(databases)) {
    it(`finds known addresses in ${name}`, async () => {
      const source = new MmdbGeoSource(DATA + name, maker);
      const region = await source.loadIfChanged();
      assert.ok(region);
      assert.match(
        region.description,
        new RegExp(`^${name.replace('-Test.mmdb', '')}, built 20\\d\\d-\\d\\d-\\d\\d, \\d+ networks$`),
      );
      const table = new GeoTable(region.buffer);
      for (const [address, country] of Object.entries(expected)) assert.equal(lookUp(table, address), country, address);
      region.close();
      await source.close();
    });
  }

  const hostile = [
    ...readdirSync(BAD).map((name) => BAD + name),
    `${DATA}MaxMind-DB-test-broken-pointers-24.mmdb`,
    `${DATA}MaxMind-DB-test-broken-search-tree-24.mmdb`,
    `${DATA}MaxMind-DB-test-ipv4-28.mmdb`,
    `${DATA}MaxMind-DB-test-ipv6-32.mmdb`,
    `${DATA}LICENSE-MIT`,
  ];
  for (const path of hostile) {
    it(`refuses ${path.slice(DATA.length)} with a reason, in a second of work and in little memory`, () => {
      const before = process.cpuUsage();
      const rssBefore = process.memoryUsage().rss;
      const result = compileGeo({ path, limits: DEFAULT_GEO_LIMITS });
      assert.ok('failure' in result);
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 1_000_000, `${user + system} µs`);
      assert.ok(process.memoryUsage().rss - rssBefore < 64 * 1024 * 1024);
      const { code, message, source } = geoError(result.failure);
      assert.match(code, /^EP_GEO_(DAMAGED|NO_COUNTRY)$/);
      assert.equal(source, 'config');
      assert.ok(message.startsWith(`geo database ${path}: found `));
      assert.match(message, /; expected \S/);
    });
  }

  it('keeps the database it had when a hostile one takes its place', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgeproxy-geo-'));
    const link = join(folder, 'country.mmdb');
    const pointTo = (target: string): void => {
      symlinkSync(target, `${link}.new`);
      renameSync(`${link}.new`, link);
    };
    pointTo(`${DATA}GeoLite2-Country-Test.mmdb`);
    const source = new MmdbGeoSource(link, maker);
    const region = await source.loadIfChanged();
    assert.ok(region);
    for (const path of hostile.filter((_, index) => index % 5 === 0)) {
      pointTo(path);
      await assert.rejects(source.loadIfChanged(), { code: /^EP_GEO_(DAMAGED|NO_COUNTRY)$/ }, path);
      assert.equal(lookUp(new GeoTable(region.buffer), '89.160.20.112'), 'SE');
    }
    region.close();
    await source.close();
    rmSync(folder, { recursive: true });
  });

  after(() => assert.equal(maker.openFds.size, 0));
});

describe('the embedded database', () => {
  it('knows the world, and that local networks lie nowhere', async () => {
    const source = new EmbeddedGeoSource(maker);
    const region = await source.loadIfChanged();
    assert.ok(region);
    const table = new GeoTable(region.buffer);
    const expected = {
      '8.8.8.8': 'US',
      '200.160.2.3': 'BR',
      '85.214.132.117': 'DE',
      '133.11.0.1': 'JP',
      '196.25.1.1': 'ZA',
      '2001:4860:4860::8888': 'US',
      '240e::1': 'CN',
      '2804:14c::1': 'BR',
      '127.0.0.1': '',
      '10.0.0.1': '',
      '172.16.0.1': '',
      '192.168.1.1': '',
      '::1': '',
      'fe80::1': '',
      '2001:db8::1': '',
    };
    for (const [address, country] of Object.entries(expected)) assert.equal(lookUp(table, address), country, address);
    assert.match(region.description, /built 20\d\d-\d\d-\d\d, \d{6,} networks$/);
    assert.equal(await source.loadIfChanged(), null);
    region.close();
    region.close();
    await source.close();
    assert.equal(maker.openFds.size, 0);
  });

  it('says how to make it where it is missing or not one', async () => {
    for (const path of ['/nonexistent/embedded.geo', `${DATA}LICENSE-MIT`]) {
      const source = new EmbeddedGeoSource(maker, path);
      await assert.rejects(source.loadIfChanged(), { code: 'EP_GEO_DAMAGED', message: /npm run build/ });
    }
    assert.equal(maker.openFds.size, 0);
  });
});
