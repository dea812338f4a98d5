import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import Database from 'better-sqlite3';
import type { ReaderThread } from '../../src/adapters/outbound/sqlite/reader-thread.js';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import type { ReadAnswer } from '../../src/adapters/outbound/sqlite/routing-reader.worker.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import type { Backend } from '../../src/domain/backend.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { execSql, otherProcess, scratchPath } from '../support/sqlite-scratch.js';

const OTHER: Backend = { ...SAMPLE_BACKEND, id: 'eu-1', region: 'eu', country: 'PT', address: '2001:db8::1' };

function open(test: TestContext, path: string): SqliteRoutingRepository {
  const repository = new SqliteRoutingRepository({ path, maxBackends: 1000 });
  test.after(() => repository.close());
  return repository;
}

/** A repository over a new file with the given backends, already read once. */
async function started(test: TestContext, backends: readonly Backend[] = [SAMPLE_BACKEND]) {
  const path = scratchPath(test);
  createRoutingDatabase(path, backends);
  const repository = open(test, path);
  assert.deepEqual(await repository.readIfChanged(), { backends, warnings: [] });
  return { path, repository };
}

async function backendsOf(repository: SqliteRoutingRepository): Promise<readonly Backend[] | undefined> {
  return (await repository.readIfChanged())?.backends;
}

function failsWith(code: string, reason: RegExp, isRetryable = true) {
  return (error: unknown): true => {
    assert.ok(error instanceof EdgeproxyError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, reason);
    assert.equal(error.isRetryable, isRetryable);
    return true;
  };
}

describe('a routing database that is not there', () => {
  it('is made with its schema by the first reading', async (test) => {
    const path = scratchPath(test);
    assert.deepEqual(await open(test, path).readIfChanged(), { backends: [], warnings: [] });
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
    await assert.rejects(open(test, path).readIfChanged(), error);
  });

  it('may have a name that means something to SQLite', async (test) => {
    const path = scratchPath(test, ':memory:');
    await open(test, path).readIfChanged();
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
    return open(test, path).readIfChanged();
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

describe('a file that cannot be used', () => {
  /** Puts something in the way of a running repository; after every failure the good file heals it. */
  const cases: [string, (path: string) => void, string, RegExp, boolean?][] = [
    ['is empty', (path) => truncateSync(path, 0), 'EP_DB_EMPTY', /is an empty file/],
    ['was cut', (path) => truncateSync(path, 5000), 'EP_DB_DAMAGED', /damaged or half-written \(SQLITE_/],
    ['was cut within its header', (path) => truncateSync(path, 50), 'EP_DB_DAMAGED', /damaged or half-written/],
    ['is no database', (path) => writeFileSync(path, 'id,wg_ip,port\n'.repeat(1000)), 'EP_DB_DAMAGED', /SQLITE_NOTADB/],
    ['has a damaged page', (path) => damage(path, 4096), 'EP_DB_DAMAGED', /SQLITE_CORRUPT/],
    ['has a damaged schema', (path) => damage(path, 100), 'EP_DB_DAMAGED', /SQLITE_CORRUPT/],
    ['is another database', (path) => replaceBySql(path, 'CREATE TABLE t (x)'), 'EP_DB_SCHEMA', /no table/],
  ];
  for (const [what, spoil, code, reason] of cases) {
    it(`${what}: is refused, again and again, until it is good`, async (test) => {
      const { path, repository } = await started(test);
      spoil(path);
      await assert.rejects(repository.readIfChanged(), failsWith(code, reason));
      await assert.rejects(repository.readIfChanged(), failsWith(code, reason));
      createRoutingDatabase(`${path}.good`, [OTHER]);
      renameSync(`${path}.good`, path);
      assert.deepEqual(await backendsOf(repository), [OTHER]);
    });

    it(`${what}: is refused by the first reading and left as it is`, async (test) => {
      const { path } = await started(test);
      spoil(path);
      const before = readFileSync(path);
      await assert.rejects(open(test, path).readIfChanged(), failsWith(code, reason));
      assert.deepEqual(readFileSync(path), before);
    });
  }

  it('is a directory, a pipe or a loop: is refused without hanging', async (test) => {
    const path = scratchPath(test);
    mkdirSync(path);
    await assert.rejects(open(test, path).readIfChanged(), failsWith('EP_DB_NOT_A_FILE', /is a directory/, false));
    const pipe = `${path}.pipe`;
    execFileSync('mkfifo', [pipe]);
    await assert.rejects(open(test, pipe).readIfChanged(), failsWith('EP_DB_NOT_A_FILE', /not a regular file/, false));
    const loop = `${path}.loop`;
    execFileSync('ln', ['-s', loop, loop]);
    await assert.rejects(open(test, loop).readIfChanged(), (error) => error instanceof EdgeproxyError);
  });

  it('is being overwritten: is refused until it is left alone', async (test) => {
    const path = scratchPath(test);
    const many = Array.from({ length: 8_000 }, (_, index) => ({ ...SAMPLE_BACKEND, id: `backend-${index}` }));
    createRoutingDatabase(path, many);
    const repository = new SqliteRoutingRepository({ path, maxBackends: many.length });
    test.after(() => repository.close());
    await repository.readIfChanged();
    assert.equal(await repository.readIfChanged(), null);
    const file = openSync(path, 'r+');
    test.after(() => closeSync(file));
    const page = readFileSync(path).subarray(0, 4096);
    // The same bytes again: nothing in the file itself betrays it.
    const overwrite = () => writeSync(file, page, 0, page.length, 0);
    overwrite();
    let isSettled = false;
    const reading = repository.readIfChanged().finally(() => (isSettled = true));
    const overwriting = (async () => {
      while (!isSettled) {
        overwrite();
        await delay(1);
      }
    })();
    await assert.rejects(reading, failsWith('EP_DB_DAMAGED', /is being overwritten/));
    await overwriting;
    assert.equal(await repository.readIfChanged(), null);
  });

  it('was left in the middle of a change by a process that died: is refused until somebody undoes the change', async (test) => {
    const { path, repository } = await started(test);
    const writer = await otherProcess(
      test,
      path,
      `database.pragma('cache_size = 1');
       database.exec('BEGIN IMMEDIATE; UPDATE backends SET weight = 99');
       const insert = database.prepare("INSERT INTO backends (id, app, wg_ip, port) VALUES (?, ?, '10.0.0.1', 80)");
       for (let i = 0; i < 2000; i++) insert.run('new-' + i, 'x'.repeat(200));
       return 'spilled'`,
    );
    await writer.ask('go');
    await writer.kill();
    assert.ok(existsSync(`${path}-journal`));
    await assert.rejects(repository.readIfChanged(), failsWith('EP_DB_UNFINISHED', /left in the middle of a change/));
    execSql(path, 'SELECT count(*) FROM backends');
    assert.equal(await repository.readIfChanged(), null);
  });
});

describe('a locked routing database', () => {
  const LOCK = `database.exec(line); return 'done'`;

  it('is refused within the busy timeout, without blocking the loop, and read once it is free', async (test) => {
    const { path, repository } = await started(test);
    await repository.readIfChanged();
    const locker = await otherProcess(test, path, LOCK);
    await locker.ask('BEGIN EXCLUSIVE; UPDATE backends SET weight = 9');
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await assert.rejects(repository.readIfChanged(), failsWith('EP_DB_LOCKED', /is locked by another process/));
    clearInterval(timer);
    // SQLite waits 250 ms in its thread; a loop that waited with it would not turn once.
    assert.ok(turns > 3, `the loop turned only ${turns} times`);
    await locker.ask('COMMIT');
    assert.deepEqual(await backendsOf(repository), [{ ...SAMPLE_BACKEND, weight: 9 }]);
  });

  it('shows nothing of a change that is rolled back, and nothing changed after it', async (test) => {
    const { path, repository } = await started(test);
    const locker = await otherProcess(test, path, LOCK);
    await locker.ask('BEGIN IMMEDIATE; UPDATE backends SET weight = 9');
    assert.equal(await repository.readIfChanged(), null);
    await locker.ask('ROLLBACK');
    assert.equal(await repository.readIfChanged(), null);
  });

  it('is refused at the first reading too, and then read', async (test) => {
    const path = scratchPath(test);
    createRoutingDatabase(path, [SAMPLE_BACKEND]);
    const locker = await otherProcess(test, path, LOCK);
    await locker.ask('BEGIN EXCLUSIVE');
    const repository = open(test, path);
    await assert.rejects(repository.readIfChanged(), failsWith('EP_DB_LOCKED', /locked/));
    await locker.kill();
    assert.deepEqual(await backendsOf(repository), [SAMPLE_BACKEND]);
  });
});

describe('reading while another process writes', () => {
  for (const journal of ['DELETE', 'WAL']) {
    it(`sees only whole transactions, and in the end the last (journal ${journal})`, async (test) => {
      const { path, repository } = await started(test, [SAMPLE_BACKEND, OTHER]);
      const writer = await otherProcess(
        test,
        path,
        `database.pragma('journal_mode = ${journal}');
         database.pragma('synchronous = OFF');
         database.pragma('busy_timeout = 5000');
         const set = database.prepare('UPDATE backends SET weight = ? WHERE id = ?');
         const edit = database.transaction((i) => { set.run(i, 'sa-1'); set.run(100000 - i, 'eu-1'); });
         const pause = new Int32Array(new SharedArrayBuffer(4));
         for (let i = 1; i <= 1000; i++) { edit.immediate(i); Atomics.wait(pause, 0, 0, 1); }
         return 'done'`,
      );
      // Starts the thread, so that it reads from the first edit on.
      assert.equal(await repository.readIfChanged(), null);
      let isDone = false;
      const done = writer.ask('go').then(() => (isDone = true));
      let latest: readonly Backend[] = [];
      let snapshots = 0;
      const readOnce = async (): Promise<void> => {
        const snapshot = await repository.readIfChanged().catch((error: unknown) => {
          assert.ok(error instanceof EdgeproxyError && error.code === 'EP_DB_LOCKED', String(error));
          return null;
        });
        if (snapshot === null) return;
        const [first, second] = snapshot.backends;
        assert.equal((first?.weight ?? 0) + (second?.weight ?? 0), 100_000);
        assert.ok((first?.weight ?? 0) > (latest[0]?.weight ?? 0), 'a snapshot older than the one before');
        latest = snapshot.backends;
        snapshots++;
      };
      while (!isDone) await readOnce();
      await done;
      await readOnce();
      assert.equal(latest[0]?.weight, 1000);
      assert.ok(snapshots > 10, `only ${snapshots} snapshots while 1000 edits were made`);
      assert.equal(await repository.readIfChanged(), null);
    });
  }

  it('changes nothing itself', async (test) => {
    const { path, repository } = await started(test);
    const before = { bytes: readFileSync(path), changedMs: statSync(path).ctimeMs };
    for (let call = 0; call < 3; call++) await repository.readIfChanged();
    assert.deepEqual({ bytes: readFileSync(path), changedMs: statSync(path).ctimeMs }, before);
    assert.deepEqual(readdirSync(dirname(path)), ['routing.db']);
  });
});

describe('the thread that reads', () => {
  /** Answers when told to. */
  class SlowThread implements ReaderThread {
    readonly answers: ((answer: ReadAnswer) => void)[] = [];
    read(): Promise<ReadAnswer> {
      return new Promise((resolve) => this.answers.push(resolve));
    }
    close(): Promise<void> {
      return Promise.resolve();
    }
  }
  const answer = (digest: string, backends: readonly Backend[]): ReadAnswer => {
    return { isOk: true, reading: { digest, snapshot: { backends, warnings: [] } } };
  };
  const slow = async (test: TestContext, callTimeoutMs: number) => {
    const path = scratchPath(test);
    createRoutingDatabase(path, [SAMPLE_BACKEND]);
    const thread = new SlowThread();
    const repository = new SqliteRoutingRepository({ path, maxBackends: 10, callTimeoutMs }, thread);
    await repository.readIfChanged();
    return { thread, repository };
  };

  it('is asked once, however often it is needed meanwhile', async (test) => {
    const { thread, repository } = await slow(test, 60_000);
    const calls = [repository.readIfChanged(), repository.readIfChanged(), repository.readIfChanged()];
    await Promise.resolve();
    assert.equal(thread.answers.length, 1);
    thread.answers[0]?.(answer('x', [OTHER]));
    for (const snapshot of await Promise.all(calls)) assert.deepEqual(snapshot?.backends, [OTHER]);
  });

  it('is left alone while it hangs, and asked again when it has come round', async (test) => {
    const { thread, repository } = await slow(test, 20);
    const hung = failsWith('EP_DB_TIMEOUT', /has not answered within 20 ms/);
    await assert.rejects(repository.readIfChanged(), hung);
    for (let call = 0; call < 100; call++) await assert.rejects(repository.readIfChanged(), hung);
    assert.equal(thread.answers.length, 1);
    thread.answers[0]?.(answer('late', [SAMPLE_BACKEND]));
    await new Promise(setImmediate);
    const next = repository.readIfChanged();
    await Promise.resolve();
    assert.equal(thread.answers.length, 2);
    thread.answers[1]?.(answer('x', [OTHER]));
    assert.deepEqual((await next)?.backends, [OTHER]);
  });

  it('leaves no connection behind', async (test) => {
    const { path, repository } = await started(test);
    await repository.readIfChanged();
    assert.ok(descriptorsOf(path) > 0);
    await repository.close();
    assert.equal(descriptorsOf(path), 0);
  });
});

function damage(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, offset, offset + 64);
  writeFileSync(path, bytes);
}

function replaceBySql(path: string, sql: string): void {
  rmSync(path);
  const database = new Database(path);
  database.exec(sql);
  database.close();
}

function descriptorsOf(path: string): number {
  const isOpen = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc/self/fd').filter(isOpen).length;
}
