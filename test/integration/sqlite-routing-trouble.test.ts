import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import Database from 'better-sqlite3';
import type { ReaderThread } from '../../src/adapters/outbound/sqlite/reader-thread.js';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import type { ReadAnswer } from '../../src/adapters/outbound/sqlite/routing-reader.worker.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import type { Backend } from '../../src/domain/backend.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { eventually } from '../support/eventually.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { backendsOf, failsWith, openRepository, OTHER, started } from '../support/sqlite-repository.js';
import { execSql, otherProcess, scratchPath } from '../support/sqlite-scratch.js';

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
      await assert.rejects(openRepository(test, path).readIfChanged(), failsWith(code, reason));
      assert.deepEqual(readFileSync(path), before);
    });
  }

  it('is a directory, a pipe or a loop: is refused without hanging', async (test) => {
    const path = scratchPath(test);
    mkdirSync(path);
    await assert.rejects(
      openRepository(test, path).readIfChanged(),
      failsWith('EP_DB_NOT_A_FILE', /is a directory/, false),
    );
    const pipe = `${path}.pipe`;
    execFileSync('mkfifo', [pipe]);
    await assert.rejects(
      openRepository(test, pipe).readIfChanged(),
      failsWith('EP_DB_NOT_A_FILE', /not a regular file/, false),
    );
    const loop = `${path}.loop`;
    execFileSync('ln', ['-s', loop, loop]);
    await assert.rejects(openRepository(test, loop).readIfChanged(), (error) => error instanceof EdgeproxyError);
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
    const refused = failsWith('EP_DB_DAMAGED', /is being overwritten/);
    // A busy machine may leave a whole reading between two of them.
    await eventually('a reading meets one of them', async () => {
      overwrite();
      const overwriting = setInterval(overwrite, 1);
      try {
        assert.equal(await repository.readIfChanged(), null);
      } catch (error) {
        return refused(error);
      } finally {
        clearInterval(overwriting);
      }
      return false;
    });
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
    assert.ok(turns > 1, `the loop turned only ${turns} times`);
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
    const repository = openRepository(test, path);
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
      assert.ok(snapshots > 2, `only ${snapshots} snapshots while 1000 edits were made`);
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
