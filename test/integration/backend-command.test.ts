import assert from 'node:assert/strict';
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import type { CliAnswer } from '../support/cli-process.js';
import { within } from '../support/eventually.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { execSql, otherProcess, scratchPath } from '../support/sqlite-scratch.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const cli = fork(new URL('../support/cli-process.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
after(() => cli.disconnect());

async function run(args: readonly string[]): Promise<CliAnswer> {
  const answer = once(cli, 'message');
  cli.send(['backend', ...args]);
  const [message] = (await within('the answer of the command', answer)) as [CliAnswer];
  return message;
}

/** In a process of its own. */
function runAlone(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliAnswer> {
  const argv = ['--import', 'tsx', MAIN, 'backend', ...args];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, argv, { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(error ?? new Error('no exit code'));
    });
  });
}

function scratchDatabase(test: TestContext): string {
  const path = scratchPath(test);
  createRoutingDatabase(path, [SAMPLE_BACKEND]);
  return path;
}

async function backendsIn(path: string) {
  const repository = new SqliteRoutingRepository({ path, maxBackends: 100 });
  try {
    const snapshot = await repository.readIfChanged();
    assert.deepEqual(snapshot?.warnings, []);
    return snapshot.backends;
  } finally {
    await repository.close();
  }
}

/** Runs a command that must work. */
async function done(path: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run([...args, '--db', path]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  return stdout;
}

describe('edgeproxy backend', () => {
  it('adds backends, makes the database for the first, and leaves nothing to warn of', async (test) => {
    const path = scratchPath(test);
    await done(
      path,
      'add',
      '--id',
      'eu-1',
      '--ip',
      '2001:DB8::1',
      '--port',
      '443',
      '--country',
      'pt',
      '--region',
      'eu',
    );
    await done(
      path,
      'add',
      ...['--id', 'sa-1', '--app', 'shop', '--region', 'sa', '--country', 'BR', '--ip', '10.0.0.1'],
      ...['--port', '8080', '--weight', '2', '--soft-limit', '50', '--hard-limit', '80'],
    );
    const first = { id: 'eu-1', app: '', region: 'eu', country: 'PT', address: '2001:db8::1', port: 443 };
    const defaults = { isHealthy: true, isDraining: false, weight: 1, softLimit: 100, hardLimit: 150 };
    assert.deepEqual(await backendsIn(path), [{ ...first, ...defaults }, SAMPLE_BACKEND]);
  });

  it('finds the database by the environment where no flag names it, and ends with 0, 1 or 2', async (test) => {
    const env = { EDGEPROXY_DB_PATH: scratchDatabase(test) };
    const [listed, unknown, wrong] = await Promise.all([
      runAlone(['list'], env),
      runAlone(['drain', 'tokyo'], env),
      runAlone(['set', 'sa-1', '--port', '0'], env),
    ]);
    assert.equal(listed.code, 0);
    assert.match(listed.stdout, /^ID +APP .*\nsa-1 +shop /);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no backend "tokyo"/);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--port: "0" is not valid/);
  });

  it('changes what is given and keeps the rest', async (test) => {
    const path = scratchDatabase(test);
    await done(path, 'set', 'sa-1', '--weight', '0', '--ip', '10.0.0.2', '--country', '');
    assert.deepEqual(await backendsIn(path), [{ ...SAMPLE_BACKEND, weight: 0, address: '10.0.0.2', country: '' }]);
  });

  it('adds a backend on a Unix socket, which has no port', async (test) => {
    const path = scratchDatabase(test);
    await done(path, 'add', '--id', 'local', '--ip', 'unix:/run/app.sock');
    const [, local] = await backendsIn(path);
    assert.deepEqual([local?.id, local?.address, local?.port], ['local', 'unix:/run/app.sock', 0]);
    assert.match(await done(path, 'list'), /^local +- +- +- +unix:\/run\/app\.sock +- +enabled/m);
    await done(path, 'set', 'local', '--ip', '10.0.0.3', '--port', '80');
    const [, moved] = await backendsIn(path);
    assert.deepEqual([moved?.address, moved?.port], ['10.0.0.3', 80]);
    const wrong = await run(['set', 'local', '--ip', 'unix:app.sock', '--db', path]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /"unix:app\.sock" is not valid \(it is not unix: and an absolute path\)/);
  });

  it('drains, disables, enables, removes and brings back', async (test) => {
    const path = scratchDatabase(test);
    await done(path, 'drain', 'sa-1');
    assert.deepEqual(await backendsIn(path), [{ ...SAMPLE_BACKEND, isDraining: true }]);
    await done(path, 'disable', 'sa-1');
    assert.deepEqual(await backendsIn(path), [{ ...SAMPLE_BACKEND, isDraining: true, isHealthy: false }]);
    await done(path, 'enable', 'sa-1');
    assert.deepEqual(await backendsIn(path), [SAMPLE_BACKEND]);
    await done(path, 'drain', 'sa-1');
    await done(path, 'remove', 'sa-1');
    assert.deepEqual(await backendsIn(path), []);
    const output = await done(path, 'add', '--id', 'sa-1', '--ip', '10.0.0.9', '--port', '1');
    assert.equal(output, '"sa-1" is back\n');
    const [back] = await backendsIn(path);
    assert.deepEqual([back?.address, back?.app, back?.isDraining, back?.weight], ['10.0.0.9', '', false, 1]);
  });

  it('lists an aligned table, JSON, and parts of either', async (test) => {
    const path = scratchDatabase(test);
    const eu = { ...SAMPLE_BACKEND, id: 'eu-west-1', app: 'blog', region: 'eu', country: '', weight: 100 };
    execSql(path, `INSERT INTO backends VALUES ('eu-west-1', 'blog', 'eu', '', '::1', 80, 0, 100, 50, 80, 0)`);
    execSql(path, `INSERT INTO backends VALUES ('gone', 'blog', 'eu', '', '::1', 80, 1, 1, 1, 1, 1)`);
    assert.equal(
      await done(path, 'list', '--all'),
      [
        'ID         APP   REGION  COUNTRY  ADDRESS   PORT  STATE     WEIGHT  SOFT  HARD',
        'sa-1       shop  sa      BR       10.0.0.1  8080  enabled        2    50    80',
        'eu-west-1  blog  eu      -        ::1         80  disabled     100    50    80',
        'gone       blog  eu      -        ::1         80  removed        1     1     1',
        '',
      ].join('\n'),
    );
    const json: unknown = JSON.parse(await done(path, 'list', '--json', '--app', 'blog', '--region', 'eu'));
    const limits = { weight: eu.weight, soft_limit: 50, hard_limit: 80 };
    const names = { id: eu.id, app: 'blog', region: 'eu', country: '', ip: '::1', port: 80 };
    assert.deepEqual(json, [{ ...names, healthy: false, draining: false, ...limits, deleted: false }]);
  });

  it('lists what can be read of a poor table, and warns of the rest without control characters', async (test) => {
    const path = scratchDatabase(test);
    execSql(path, `INSERT INTO backends (id, wg_ip, port) VALUES ('evil' || char(27) || '[2J', '10.0.0.1', 80)`);
    const { code, stdout, stderr } = await run(['list', '--db', path]);
    assert.equal(code, 0);
    assert.match(stdout, /sa-1/);
    assert.match(stderr, /^warning: row 2, id: "evil\\u001b\[2J" holds unprintable characters; the row is left out$/m);
    assert.doesNotMatch(stdout + stderr, /\x1b/);
  });
});

describe('edgeproxy backend, called wrongly', () => {
  it('names every wrong option with its value and what was expected, and touches nothing', async (test) => {
    const path = scratchPath(test);
    const wrong = [
      '--id',
      '',
      '--port',
      '65536',
      '--weight',
      '-1',
      '--soft-limit',
      '1e3',
      '--country',
      'Brazil\x1b[2J',
    ];
    const { code, stdout, stderr } = await run(['add', ...wrong, '--ip', '224.0.0.1', '--db', path]);
    assert.deepEqual([code, stdout], [2, '']);
    assert.deepEqual(stderr.trimEnd().split('\n'), [
      'error: --id: "" is not valid; expected 1 to 255 printable characters',
      'error: --country: "Brazil\\u{1b}[2J" is not valid; expected a two-letter country code (ISO 3166-1), or nothing',
      'error: --ip: "224.0.0.1" is not valid (it is a multicast address); expected the IPv4 or IPv6 address of one host, or unix:/path',
      'error: --port: "65536" is not valid; expected a whole number from 1 to 65535',
      'error: --weight: "-1" is not valid; expected a whole number from 0 to 2147483647',
      'error: --soft-limit: "1e3" is not valid; expected a whole number from 0 to 2147483647',
    ]);
    assert.equal(existsSync(path), false);
  });

  it('names what is missing', async (test) => {
    const path = scratchDatabase(test);
    const added = await run(['add', '--db', path]);
    assert.equal(added.code, 2);
    for (const option of ['--id', '--ip', '--port'])
      assert.match(added.stderr, new RegExp(`error: ${option} is required`));
    const set = await run(['set', 'sa-1', '--db', path]);
    assert.equal(set.code, 2);
    assert.match(set.stderr, /nothing to set; give at least one of --app, --region/);
    const drained = await run(['drain', '--db', path]);
    assert.equal(drained.code, 2);
    assert.match(drained.stderr, /missing required argument 'id'/);
  });

  it('refuses commands and options that it does not know', async (test) => {
    const path = scratchDatabase(test);
    assert.equal((await run(['purge', '--db', path])).code, 2);
    assert.equal((await run(['list', '--dbb', path])).code, 2);
    assert.equal((await run([])).code, 2);
  });

  it('suggests the nearest id for one that is unknown', async (test) => {
    const path = scratchDatabase(test);
    const { code, stderr } = await run(['drain', 'sa1', '--db', path]);
    assert.equal(code, 1);
    assert.match(stderr, /there is no backend "sa1"; did you mean "sa-1"\?/);
    assert.match(
      (await run(['set', 'tokyo', '--weight', '1', '--db', path])).stderr,
      /`edgeproxy backend list` shows all/,
    );
  });

  it('tells of set where a backend exists, and of add where it was removed', async (test) => {
    const path = scratchDatabase(test);
    const added = await run(['add', '--id', 'sa-1', '--ip', '10.0.0.9', '--port', '1', '--db', path]);
    assert.equal(added.code, 1);
    assert.match(added.stderr, /"sa-1" exists already; change it with `edgeproxy backend set`/);
    await done(path, 'remove', 'sa-1');
    const set = await run(['set', 'sa-1', '--weight', '1', '--db', path]);
    assert.equal(set.code, 1);
    assert.match(set.stderr, /"sa-1" was removed; `edgeproxy backend add` brings it back/);
  });
});

describe('edgeproxy backend, on files of all kinds', () => {
  it('makes no database for a command that only changes one', async (test) => {
    const path = scratchPath(test);
    for (const args of [['list'], ['drain', 'a'], ['set', 'a', '--weight', '1']]) {
      const { code, stderr } = await run([...args, '--db', path]);
      assert.equal(code, 1);
      assert.match(stderr, /does not exist; `edgeproxy backend add` makes it/);
    }
    assert.equal(existsSync(path), false);
  });

  it('leaves a file alone that is no routing database', async (test) => {
    const path = scratchPath(test);
    writeFileSync(path, 'precious notes\n'.repeat(100));
    const add = ['add', '--id', 'a', '--ip', '10.0.0.1', '--port', '1', '--db', path];
    const { code, stderr } = await run(add);
    assert.equal(code, 1);
    assert.match(stderr, /is damaged or half-written \(SQLITE_NOTADB/);
    assert.equal(readFileSync(path, 'utf8'), 'precious notes\n'.repeat(100));
    const other = scratchPath(test);
    execSql(other, 'CREATE TABLE precious (note TEXT)');
    const before = readFileSync(other);
    assert.match((await run([...add.slice(0, -1), other])).stderr, /has no table `backends`/);
    assert.deepEqual(readFileSync(other), before);
  });

  it('adds a column to an old database only when a value needs it, and other rows mean what they meant', async (test) => {
    const path = scratchPath(test);
    execSql(path, `CREATE TABLE backends (ID TEXT PRIMARY KEY, wg_ip TEXT, port INTEGER, note TEXT)`);
    execSql(path, `INSERT INTO backends VALUES ('a', '10.0.0.1', 1, 'x'), ('b', '10.0.0.2', 2, 'y')`);
    const columns = async (): Promise<string[]> => {
      const { stderr } = await run(['list', '--db', path]);
      return [...stderr.matchAll(/every row, (\w+): the table has no such column/g)].map(([, name]) => name ?? '');
    };
    assert.deepEqual(await columns(), [
      'app',
      'region',
      'country',
      'healthy',
      'weight',
      'soft_limit',
      'hard_limit',
      'deleted',
    ]);
    await done(path, 'add', '--id', 'c', '--ip', '10.0.0.3', '--port', '3', '--region', 'sa');
    await done(path, 'set', 'a', '--weight', '7');
    await done(path, 'disable', 'a');
    await done(path, 'drain', 'b');
    await done(path, 'remove', 'c');
    assert.deepEqual(await columns(), ['app', 'country', 'soft_limit', 'hard_limit']);
    const { stdout } = await run(['list', '--json', '--all', '--db', path]);
    const rows = JSON.parse(stdout) as Record<string, unknown>[];
    assert.deepEqual(
      rows.map(({ id, region, weight, healthy, draining, deleted }) => [
        id,
        region,
        weight,
        healthy,
        draining,
        deleted,
      ]),
      [
        ['a', '', 7, false, false, false],
        ['b', '', 1, true, true, false],
        ['c', 'sa', 1, true, false, true],
      ],
    );
  });

  it('says that the database is locked, and changes nothing', async (test) => {
    const path = scratchDatabase(test);
    const locker = await otherProcess(test, path, `database.exec(line); return 'done'`);
    await locker.ask('BEGIN EXCLUSIVE');
    const { code, stderr } = await run(['drain', 'sa-1', '--db', path]);
    assert.equal(code, 1);
    assert.match(stderr, /is locked by another process/);
    await locker.ask('COMMIT');
    assert.deepEqual(await backendsIn(path), [SAMPLE_BACKEND]);
  });

  it('edits while a proxy reads, with either journal', async (test) => {
    for (const journal of ['DELETE', 'WAL']) {
      const path = scratchDatabase(test);
      execSql(path, `PRAGMA journal_mode = ${journal}`);
      const repository = new SqliteRoutingRepository({ path, maxBackends: 10 });
      test.after(() => repository.close());
      await repository.readIfChanged();
      assert.equal(await repository.readIfChanged(), null);
      await done(path, 'drain', 'sa-1');
      assert.deepEqual((await repository.readIfChanged())?.backends, [{ ...SAMPLE_BACKEND, isDraining: true }]);
    }
  });

  it('undoes the change of a process that died in the middle of it', async (test) => {
    const path = scratchDatabase(test);
    const writer = await otherProcess(
      test,
      path,
      `database.pragma('cache_size = 1');
       database.exec('BEGIN IMMEDIATE; UPDATE backends SET weight = 99');
       const insert = database.prepare('INSERT INTO backends (id, app) VALUES (?, ?)');
       for (let i = 0; i < 2000; i++) insert.run('new-' + i, 'x'.repeat(200));
       return 'spilled'`,
    );
    await writer.ask('go');
    await writer.kill();
    assert.match(await done(path, 'list'), /^sa-1 .* 2 +50 +80$/m);
    assert.deepEqual(await backendsIn(path), [SAMPLE_BACKEND]);
  });
});
