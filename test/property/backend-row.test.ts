import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import type { Backend } from '../../src/domain/backend.js';
import { overrideValues } from '../../src/domain/backend-overrides.js';
import { BACKEND_COLUMNS, MAX_COUNT, readBackendRow } from '../../src/domain/backend-row.js';
import type { BackendColumn, BackendRow } from '../../src/domain/backend-row.js';
import { MAX_WARNINGS, readBackendTable } from '../../src/domain/backend-table.js';
import { fc } from '../support/fast-check.js';

const ALL_COLUMNS: ReadonlySet<BackendColumn> = new Set(BACKEND_COLUMNS);

/** Whatever a SQLite column can hold, and whatever a driver can make of it. */
const sqliteValue = fc.oneof(
  fc.constant(null),
  fc.integer(),
  fc.nat({ max: 70_000 }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom(
    'true',
    'FALSE',
    'br',
    'ß',
    '0',
    '8080',
    '10.0.0.1',
    '::ffff:10.0.0.2',
    '2001:db8::1',
    '\x1b[2J',
    '\ud800',
  ),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
);
/** Half of the values are sound, so that many rows get far. */
const sound: Record<BackendColumn, fc.Arbitrary<unknown>> = {
  id: fc.constantFrom('a', 'b', 'c', 'd'),
  app: fc.constantFrom('', 'shop'),
  region: fc.constantFrom('sa', 'eu'),
  country: fc.constantFrom('BR', 'de', ''),
  wg_ip: fc.oneof(fc.ipV4(), fc.ipV6()),
  port: fc.integer({ min: 1, max: 65_535 }),
  healthy: fc.constantFrom(0, 1),
  weight: fc.nat(),
  soft_limit: fc.nat(),
  hard_limit: fc.nat(),
  deleted: fc.constant(0),
  draining: fc.constantFrom(0, 1),
  health_port: fc.integer({ min: 1, max: 65_535 }),
  health_interval_secs: fc.double({ min: 0.1, max: 86_400, noNaN: true }),
  health_type: fc.constantFrom('tcp', 'http', 'HTTP'),
  health_path: fc.constantFrom('/', '/up?deep=1'),
  drain_timeout_secs: fc.constantFrom(0, 1.5, 60),
};
const row: fc.Arbitrary<BackendRow> = fc.record(
  Object.fromEntries(BACKEND_COLUMNS.map((column) => [column, fc.oneof(sound[column], sound[column], sqliteValue)])),
  { requiredKeys: [] },
);

function assertValid(backend: Backend): void {
  assert.ok(backend.id.length >= 1 && backend.id.length <= 255);
  for (const text of [backend.id, backend.app, backend.region]) assert.doesNotMatch(text, /[\p{Cc}\p{Cs}]/u);
  assert.match(backend.country, /^([A-Z]{2})?$/);
  assert.notEqual(isIP(backend.address), 0);
  assert.ok(Number.isInteger(backend.port) && backend.port >= 1 && backend.port <= 65_535);
  for (const count of [backend.weight, backend.softLimit, backend.hardLimit]) {
    assert.ok(Number.isInteger(count) && count >= 0 && count <= MAX_COUNT);
  }
  assert.ok(backend.softLimit >= 1);
  assert.equal(typeof backend.isHealthy, 'boolean');
  assert.equal(typeof backend.isDraining, 'boolean');
}

describe('a row of any values', () => {
  it('gives a valid backend or none, and never throws', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { backend, warnings } = readBackendRow(values, 1);
        if (backend !== null) assertValid(backend);
        assert.ok(!(backend !== null && warnings.some((warning) => warning.isSkipped)), 'skipped and yet there');
        for (const { row: label, reason } of warnings) assert.doesNotMatch(label + reason, /[\p{Cc}\p{Cs}]/u);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is left out silently only where it is deleted or where the table lacks a column', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { backend, warnings } = readBackendRow({ ...values, deleted: 0 }, 1);
        const lacksColumn = values.id === undefined || values.wg_ip === undefined || values.port === undefined;
        if (backend === null && !lacksColumn) assert.ok(warnings.some((warning) => warning.isSkipped));
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads the same again from what it gave', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { backend } = readBackendRow(values, 1);
        if (backend === null) return;
        const again = readBackendRow(
          {
            id: backend.id,
            app: backend.app,
            region: backend.region,
            country: backend.country,
            wg_ip: backend.address,
            port: backend.port,
            healthy: Number(backend.isHealthy),
            weight: backend.weight,
            soft_limit: backend.softLimit,
            hard_limit: backend.hardLimit,
            deleted: 0,
            draining: Number(backend.isDraining),
            ...Object.fromEntries(overrideValues(backend.overrides ?? {})),
          },
          1,
        );
        assert.deepEqual(again, { backend, warnings: [] });
      }),
    );
  });
});

describe('a table of any rows', () => {
  it('gives valid backends with distinct ids within the bounds', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (rows, maxBackends) => {
        const { backends, warnings } = readBackendTable(rows, ALL_COLUMNS, maxBackends);
        backends.forEach(assertValid);
        assert.ok(backends.length <= maxBackends);
        assert.equal(new Set(backends.map((backend) => backend.id)).size, backends.length);
        assert.ok(warnings.length <= MAX_WARNINGS + 2);
      }),
      { numRuns: 500 },
    );
  });
});
