import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { RoutingReader } from '../../src/adapters/outbound/sqlite/routing-reader.js';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import type { RoutingSnapshot } from '../../src/application/ports/routing-repository.js';
import { BACKEND_COLUMNS } from '../../src/domain/backend-row.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { fc } from '../support/fast-check.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { scratchPath } from '../support/sqlite-scratch.js';

/** Every storage class of SQLite, with the extremes of each. */
const storedValue = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.nat({ max: 70_000 }).map(BigInt),
  fc.double(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('10.0.0.1', '::1', '2001:db8::1', 'sa', 'BR', 'true', 'x'.repeat(5000)),
  fc.uint8Array({ maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
);
const storedRow = fc.array(storedValue, { minLength: BACKEND_COLUMNS.length, maxLength: BACKEND_COLUMNS.length });
const soundRow = fc
  .nat({ max: 3 })
  .map(
    (n) =>
      [
        `id-${n}`,
        'shop',
        'sa',
        'BR',
        `10.0.0.${n}`,
        80n,
        1n,
        1n,
        1n,
        1n,
        0n,
        0n,
        81n,
        1.5,
        'http',
        '/',
        9,
      ] as unknown[],
  );

function assertSound(snapshot: RoutingSnapshot | null): void {
  for (const { id, address, port, weight, softLimit, hardLimit } of snapshot?.backends ?? []) {
    assert.ok(id !== '' && isIP(address) !== 0 && port >= 1 && port <= 65_535, JSON.stringify({ id, address, port }));
    for (const count of [weight, softLimit, hardLimit]) assert.ok(Number.isSafeInteger(count) && count >= 0);
  }
}

describe('reading a routing database', () => {
  for (const type of ['', 'TEXT', 'INTEGER', 'REAL', 'BLOB']) {
    it(`gives sound backends from any values in columns of type ${type === '' ? 'none' : type}`, (test) => {
      const path = scratchPath(test);
      const database = new Database(path);
      test.after(() => database.close());
      database.exec(`CREATE TABLE backends (${BACKEND_COLUMNS.map((column) => `${column} ${type}`).join(', ')})`);
      const insert = database.prepare(`INSERT INTO backends VALUES (${BACKEND_COLUMNS.map(() => '?').join(', ')})`);
      const replaceRows = database.transaction((rows: readonly unknown[][]) => {
        database.exec('DELETE FROM backends');
        for (const row of rows) insert.run(row);
      });
      database.pragma('synchronous = OFF');
      const reader = new RoutingReader({ path, maxBackends: 5, busyTimeoutMs: 0 });
      test.after(() => reader.close());
      fc.assert(
        fc.property(fc.array(fc.oneof(storedRow, soundRow), { maxLength: 10 }), (rows) => {
          replaceRows(rows);
          assertSound(reader.read(null).snapshot);
        }),
        { numRuns: 100 },
      );
    });
  }

  it('gives sound backends or an EdgeproxyError from a file that is damaged anywhere', (test) => {
    const path = scratchPath(test);
    const many = Array.from({ length: 300 }, (_, index) => ({ ...SAMPLE_BACKEND, id: `backend-${index}` }));
    createRoutingDatabase(path, many);
    const sound = readFileSync(path);
    const reader = new RoutingReader({ path, maxBackends: 1000, busyTimeoutMs: 0 });
    test.after(() => reader.close());
    const flips = fc.array(fc.tuple(fc.nat({ max: sound.length - 1 }), fc.integer({ min: 1, max: 255 })), {
      maxLength: 20,
    });
    let refusals = 0;
    fc.assert(
      fc.property(flips, fc.option(fc.nat({ max: sound.length }), { freq: 3 }), (changes, length) => {
        const bytes = Buffer.from(sound.subarray(0, length ?? sound.length));
        for (const [offset, mask] of changes) {
          if (offset < bytes.length) bytes.writeUInt8(bytes.readUInt8(offset) ^ mask, offset);
        }
        writeFileSync(path, bytes);
        try {
          assertSound(reader.read(null).snapshot);
        } catch (error) {
          assert.ok(error instanceof EdgeproxyError, String(error));
          assert.match(error.code, /^EP_DB_/);
          refusals++;
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(refusals > 50, `only ${refusals} of 500 damaged files were refused`);
    writeFileSync(path, sound);
    assert.deepEqual(reader.read(null).snapshot, { backends: many, warnings: [] });
  });
});
