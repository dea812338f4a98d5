import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { GEO_ERROR_CODES, geoError } from '../../src/adapters/outbound/geo/geo-error.js';
import { DEFAULT_GEO_LIMITS } from '../../src/adapters/outbound/geo/geo-limits.js';

const DOCS = readFileSync(new URL('../../docs/geo.md', import.meta.url), 'utf8');

describe('docs/geo.md', () => {
  it('lists every error code, and says rightly when it is tried again', () => {
    const rows = [...DOCS.matchAll(/^\| (EP_\w+) *\|.*\| (.+?) *\|$/gm)].map(([, code, again]) => ({ code, again }));
    assert.deepEqual(rows.map(({ code }) => code).sort(), [...GEO_ERROR_CODES].sort());
    for (const code of GEO_ERROR_CODES) {
      const { isRetryable } = geoError({ code, path: '', found: '', expected: '' });
      assert.equal(rows.find((row) => row.code === code)?.again === 'at the next check', isRetryable, code);
    }
  });

  it('states the limits that are in force', () => {
    const limits = DEFAULT_GEO_LIMITS;
    const count = (value: number): string => value.toLocaleString('en-US');
    const sentence =
      `Limits: ${limits.maxFileBytes / 2 ** 30} GiB of file, ${count(limits.maxNodes)} nodes, ` +
      `${limits.maxRegionBytes / 2 ** 20} MiB compiled, ${count(limits.maxRecordValues)} values and ${limits.maxRecordDepth} levels in one ` +
      `record, ${limits.maxTextBytes / 2 ** 10} KiB in one text, ${limits.loadTimeoutMs / 1000} s and ${limits.maxHeapMb} MB of heap to load.`;
    assert.ok(DOCS.replaceAll('\n', ' ').includes(sentence), sentence);
  });

  it('names the embedded edition that is installed', () => {
    const manifest = createRequire(import.meta.url)('@ip-location-db/geo-whois-asn-country-mmdb/package.json') as {
      version: string;
    };
    assert.ok(DOCS.includes(manifest.version));
  });
});
