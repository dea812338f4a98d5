import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { backendsOf, failsWith, openRepository, OTHER, started } from '../support/sqlite-repository.js';
import { execSql, otherProcess, scratchPath } from '../support/sqlite-scratch.js';

describe('a routing database that is not there', () => {
  it('is made with its schema by the first reading', async (test) => {
    const path = scratchPath(test);
    assert.deepEqual(await openRepository(test, path).readIfChanged(), { backends: [], warnings: [] });
    assert.deepEqual(readdirSync(dirname(path)), ['routing.db']);
    execSql(path, "INSERT INTO backends VALUES ('a', '', '', '', '10.0.0.1', 1, 1, 1, 1, 1, 0)");
  });

  it('is not made again when it goes later', async (test) => {
    const { path, repository } = await started(test);
    rmSync(path);
    for (let call = 0; call < 2; call++) {
      await assert.rejects(repository.readIfChanged(), failsWith('EP_DB_MISSING', /routing.db" does not exist/));
    }
    assert.equal(existsSync(path), false);
    createRoutingDatabase(path, [OTHER]);
    assert.deepEqual(await backendsOf(repository), [OTHER]);
  });

  it('cannot be made in a folder that is not there either', async (test) => {
    const path = join(dirname(scratchPath(test)), 'nowhere', 'routing.db');
    const error = failsWith('EP_DB_UNWRITABLE', /cannot be created \(.*directory does not exist/, false);
    await assert.rejects(openRepository(test, path).readIfChanged(), error);
  });

  it('may have a name that means something to SQLite', async (test) => {
    const path = scratchPath(test, ':memory:');
    await openRepository(test, path).readIfChanged();
    assert.ok(statSync(path).size > 0);
  });
});

describe('creating a routing database', () => {
  it('leaves a file that is there alone', async (test) => {
    const { path } = await started(test);
    const before = readFileSync(path);
    assert.equal(createRoutingDatabase(path, [OTHER]), false);
    assert.deepEqual(readFileSync(path), before);
    assert.deepEqual(readdirSync(dirname(path)), ['routing.db']);
  });

  it('keeps draining backends draining', async (test) => {
    await started(test, [SAMPLE_BACKEND, { ...OTHER, isDraining: true }]);
  });
});

describe('the schema of a routing database', () => {
  const readOnce = async (test: TestContext, schema: string) => {
    const path = scratchPath(test);
    execSql(path, schema);
    return openRepository(test, path).readIfChanged();
  };

  it('may be an old one: missing columns get their defaults, with one warning each', async (test) => {
    const snapshot = await readOnce(
      test,
      `CREATE TABLE backends (id TEXT PRIMARY KEY, wg_ip TEXT, port INTEGER, healthy INTEGER, deleted INTEGER);
       INSERT INTO backends VALUES ('a', '10.0.0.1', 80, 1, 0), ('b', '10.0.0.2', 80, 0, 0), ('c', '10.0.0.3', 80, 1, 1)`,
    );
    const defaults = { app: '', region: '', country: '', isDraining: false, weight: 1, softLimit: 100, hardLimit: 150 };
    assert.deepEqual(snapshot?.backends, [
      { ...defaults, id: 'a', address: '10.0.0.1', port: 80, isHealthy: true },
      { ...defaults, id: 'b', address: '10.0.0.2', port: 80, isHealthy: false },
    ]);
    assert.deepEqual(
      snapshot.warnings.map(({ row, column }) => [row, column]),
      ['app', 'region', 'country', 'weight', 'soft_limit', 'hard_limit'].map((column) => ['every row', column]),
    );
  });

  it('may have more columns, in any order and case, and no types', async (test) => {
    const snapshot = await readOnce(
      test,
      `CREATE TABLE Backends (note, PORT, "Wg_Ip", ID, app, region, country, healthy, weight, soft_limit, hard_limit,
        deleted, draining, metadata);
       INSERT INTO backends VALUES ('x', 8080, '10.0.0.1', 'sa-1', 'shop', 'sa', 'BR', 1, 2, 50, 80, 0, 0, '{}')`,
    );
    assert.deepEqual(snapshot, { backends: [SAMPLE_BACKEND], warnings: [] });
  });

  it('may be a view', async (test) => {
    const snapshot = await readOnce(
      test,
      `CREATE TABLE hosts (name TEXT, ip TEXT);
       CREATE VIEW backends AS SELECT name AS id, 'shop' AS app, 'sa' AS region, 'BR' AS country, ip AS wg_ip,
         8080 AS port, 1 AS healthy, 2 AS weight, 50 AS soft_limit, 80 AS hard_limit, 0 AS deleted FROM hosts;
       INSERT INTO hosts VALUES ('sa-1', '10.0.0.1')`,
    );
    assert.deepEqual(snapshot, { backends: [SAMPLE_BACKEND], warnings: [] });
  });

  it('must have the table', async (test) => {
    const error = failsWith('EP_DB_SCHEMA', /has no table `backends`/);
    await assert.rejects(readOnce(test, 'CREATE TABLE backend (id TEXT)'), error);
  });

  it('may gain the draining column while the proxy runs', async (test) => {
    const { path, repository } = await started(test);
    execSql(path, 'ALTER TABLE backends ADD COLUMN draining INTEGER DEFAULT 0; UPDATE backends SET draining = 1');
    assert.deepEqual(await repository.readIfChanged(), {
      backends: [{ ...SAMPLE_BACKEND, isDraining: true }],
      warnings: [],
    });
  });

  it('loses one row to a value of many megabytes, not the reading', async (test) => {
    const { path, repository } = await started(test);
    execSql(path, `INSERT INTO backends (id, wg_ip, port) VALUES (printf('%.*c', 50000000, 'x'), '10.0.0.1', 80)`);
    const snapshot = await repository.readIfChanged();
    assert.deepEqual(snapshot?.backends, [SAMPLE_BACKEND]);
    const skipped = snapshot.warnings.filter(({ isSkipped }) => isSkipped);
    assert.deepEqual(
      skipped.map(({ row, column }) => [row, column]),
      [['row 2', 'id']],
    );
  });
});

describe('a change of the file', () => {
  it('is seen when another file takes its place', async (test) => {
    const { path, repository } = await started(test);
    createRoutingDatabase(`${path}.new`, [OTHER]);
    renameSync(`${path}.new`, path);
    assert.deepEqual(await backendsOf(repository), [OTHER]);
    assert.equal(await repository.readIfChanged(), null);
    execSql(path, 'UPDATE backends SET weight = 9');
    assert.deepEqual(await backendsOf(repository), [{ ...OTHER, weight: 9 }]);
  });

  it('is seen when it is overwritten in place by a file of the same size and counters', async (test) => {
    const { path, repository } = await started(test);
    createRoutingDatabase(`${path}.new`, [{ ...SAMPLE_BACKEND, weight: 3 }]);
    assert.equal(statSync(`${path}.new`).size, statSync(path).size);
    const inode = statSync(path).ino;
    copyFileSync(`${path}.new`, path);
    assert.equal(statSync(path).ino, inode);
    assert.deepEqual(await backendsOf(repository), [{ ...SAMPLE_BACKEND, weight: 3 }]);
  });

  it('is none when it is replaced by a copy, touched, or vacuumed', async (test) => {
    const { path, repository } = await started(test);
    copyFileSync(path, `${path}.new`);
    renameSync(`${path}.new`, path);
    assert.equal(await repository.readIfChanged(), null);
    utimesSync(path, new Date(), new Date());
    assert.equal(await repository.readIfChanged(), null);
    execSql(path, 'VACUUM');
    assert.equal(await repository.readIfChanged(), null);
    execSql(path, 'PRAGMA journal_mode = WAL');
    assert.equal(await repository.readIfChanged(), null);
  });

  it('is seen in a write-ahead log, before and after a checkpoint', async (test) => {
    const { path, repository } = await started(test);
    const writer = await otherProcess(test, path, 'return JSON.stringify(database.exec(line) && line)');
    await writer.ask('PRAGMA journal_mode = WAL');
    await writer.ask('UPDATE backends SET weight = 5');
    assert.deepEqual(await backendsOf(repository), [{ ...SAMPLE_BACKEND, weight: 5 }]);
    await writer.ask('UPDATE backends SET weight = 6');
    assert.deepEqual(await backendsOf(repository), [{ ...SAMPLE_BACKEND, weight: 6 }]);
    await writer.ask('PRAGMA wal_checkpoint(TRUNCATE)');
    assert.equal(await repository.readIfChanged(), null);
    await writer.kill();
    execSql(path, 'UPDATE backends SET weight = 7');
    assert.deepEqual(await backendsOf(repository), [{ ...SAMPLE_BACKEND, weight: 7 }]);
  });
});
