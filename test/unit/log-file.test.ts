import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLogger, type ProcessLogger } from '../../src/adapters/outbound/log/create-logger.js';
import { LogFile, type LogFileOptions } from '../../src/adapters/outbound/log/log-file.js';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';

const WRITER = fileURLToPath(new URL('../support/log-file.process.ts', import.meta.url));
const TIME_LIMIT = { timeout: 300_000 };

describe('a log file', () => {
  const native = loadNativeAddon();
  let folder: string;
  let path: string;
  let file: LogFile;
  let told: string[];
  let nowMs: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgeproxy-log-'));
    path = join(folder, 'a.log');
    told = [];
    nowMs = 0;
  });
  afterEach(() => {
    file.close();
    file.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function open(changes: Partial<LogFileOptions> = {}): LogFile {
    file = new LogFile({
      path,
      maxBytes: 100,
      maxFiles: 3,
      tryLock: (fd) => native.tryLockFile(fd),
      onTrouble: (message) => told.push(message),
      nowMs: () => nowMs,
      ...changes,
    });
    return file;
  }

  /** Ten bytes. */
  function line(n: number): Buffer {
    return Buffer.from(`line ${String(n).padStart(4)}\n`);
  }

  function write(first: number, last: number): void {
    for (let n = first; n <= last; n++) assert.equal(file.write(line(n)), 10);
  }

  function numbersIn(name: string): number[] {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1);
    return lines.map((text) => Number(text.slice(4)));
  }

  function range(first: number, last: number): number[] {
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  it('is appended to, and made for its owner and group alone', () => {
    writeFileSync(path, 'before\n');
    open();
    write(1, 1);
    assert.equal(readFileSync(path, 'utf8'), 'before\nline    1\n');
    file.close();
    rmSync(path);
    open();
    assert.equal(statSync(path).mode & 0o777 & ~0o640, 0);
  });

  it('is renamed before the line that would make it too large, and as many old ones are kept as are wanted', () => {
    open();
    write(1, 10);
    assert.deepEqual(readdirSync(folder), ['a.log']);
    write(11, 45);
    assert.deepEqual(readdirSync(folder).sort(), ['a.log', 'a.log.1', 'a.log.2', 'a.log.3']);
    assert.deepEqual(['a.log', 'a.log.1', 'a.log.2', 'a.log.3'].map(numbersIn), [
      range(41, 45),
      range(31, 40),
      range(21, 30),
      range(11, 20),
    ]);
  });

  it('takes a line that is larger than a file may be', () => {
    open();
    write(1, 1);
    assert.equal(file.write(Buffer.alloc(500, 'x')), 500);
    write(2, 2);
    assert.deepEqual([numbersIn('a.log'), numbersIn('a.log.2')], [[2], [1]]);
  });

  it('takes other limits from the next line on', () => {
    open();
    write(1, 45);
    file.useLimits({ maxBytes: 20, maxFiles: 1 });
    write(46, 46);
    assert.deepEqual([numbersIn('a.log'), numbersIn('a.log.1')], [[46], range(41, 45)]);
    assert.deepEqual(readdirSync(folder).sort(), ['a.log', 'a.log.1']);
  });

  it('fills a gap that somebody has left in the numbers, and touches nothing beyond it', () => {
    open();
    write(1, 35);
    rmSync(`${path}.1`);
    write(36, 41);
    assert.deepEqual([numbersIn('a.log.1'), numbersIn('a.log.2')], [range(31, 40), range(11, 20)]);
  });

  it('goes on in a new file once told, where the old one was moved away', () => {
    open();
    write(1, 2);
    renameSync(path, join(folder, 'moved'));
    write(3, 3);
    file.reopen();
    write(4, 4);
    file.reopen();
    write(5, 5);
    assert.deepEqual(
      [numbersIn('moved'), numbersIn('a.log')],
      [
        [1, 2, 3],
        [4, 5],
      ],
    );
  });

  it('makes itself anew where it was removed', () => {
    open();
    write(1, 1);
    rmSync(path);
    write(2, 2);
    assert.deepEqual(numbersIn('a.log'), [2]);
  });

  it('does not rename the file that somebody else has begun', () => {
    open();
    write(1, 10);
    renameSync(path, `${path}.1`);
    writeFileSync(path, line(11));
    write(12, 12);
    assert.deepEqual([numbersIn('a.log'), numbersIn('a.log.1')], [[11, 12], range(1, 10)]);
    assert.ok(!existsSync(`${path}.2`));
  });

  it('leaves renaming to whoever has the lock', () => {
    let isLocked = true;
    open({ tryLock: () => !isLocked });
    write(1, 12);
    assert.deepEqual(readdirSync(folder), ['a.log']);
    isLocked = false;
    write(13, 13);
    assert.deepEqual([numbersIn('a.log'), numbersIn('a.log.1')], [[13], range(1, 12)]);
  });

  it('grows too large rather than lose a line where it cannot be renamed, says so once and tries again', () => {
    open();
    mkdirSync(join(folder, 'a.log.1', 'x'), { recursive: true });
    mkdirSync(join(folder, 'a.log.2'));
    writeFileSync(join(folder, 'a.log.3'), '');
    write(1, 15);
    nowMs = 2000;
    write(16, 16);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /^the log file cannot be rotated: E/);
    assert.deepEqual(numbersIn('a.log'), range(1, 16));
    rmSync(join(folder, 'a.log.1'), { recursive: true });
    nowMs = 4000;
    write(17, 17);
    assert.deepEqual([numbersIn('a.log'), numbersIn('a.log.1')], [[17], range(1, 16)]);
    assert.equal(told.length, 1);
  });

  it('is an error where it cannot be opened', () => {
    open();
    for (const wrong of [folder, join(folder, 'a.log', 'b'), join(folder, 'none', 'a.log')]) {
      const options = { path: wrong, maxBytes: 1, maxFiles: 1, tryLock: () => true, onTrouble: () => undefined };
      assert.throws(() => new LogFile({ ...options, nowMs: () => 0 }), { code: 'EP_LOG_FILE', source: 'config' });
    }
  });

  function loggerOn(output: LogFile, limitBytes = 1 << 20): ProcessLogger {
    return createLogger({ level: 'info', format: 'json', role: 'primary', file: output, limitBytes });
  }

  function messages(): unknown[] {
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    return lines.map((text) => (JSON.parse(text) as { msg: unknown }).msg);
  }

  it('makes lines wait while the disk is full, says so once, and loses what is more than may wait', () => {
    symlinkSync('/dev/full', path);
    const logger = loggerOn(open({ maxBytes: 1 << 20 }), 1000);
    for (let n = 0; n < 20; n++) logger.info({}, `event ${n}`);
    logger.reopen();
    assert.deepEqual(told, ['the log file cannot be written: ENOSPC: no space left on device, write']);
    const kept = 20 - logger.droppedLines;
    assert.ok(kept > 3 && kept < 20, `kept ${kept}`);
    rmSync(path);
    logger.reopen();
    const expected = range(0, kept - 1).map((n) => `event ${n}`);
    assert.deepEqual(messages(), [...expected, 'log lines were dropped: the log file could not be written']);
    logger.close();
  });

  it('outlives its directory, and is back with it', () => {
    const inner = join(folder, 'logs');
    mkdirSync(inner);
    path = join(inner, 'a.log');
    const logger = loggerOn(open({ maxBytes: 1 << 20 }));
    logger.info({}, 'first');
    rmSync(inner, { recursive: true });
    logger.info({}, 'second');
    logger.info({}, 'third');
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /cannot be written: ENOENT/);
    mkdirSync(inner);
    logger.flush();
    assert.deepEqual(messages(), ['second', 'third']);
    logger.close();
  });

  it('loses and splits no line where several processes write it and each would rename it', TIME_LIMIT, async () => {
    open();
    const names = ['a', 'b', 'c'];
    const count = 1500;
    await Promise.all(
      names.map(async (name) => {
        const args = ['--import', 'tsx', WRITER, path, name, String(count), '2000', '1000'];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
        const [message] = await Promise.all([once(child, 'message'), once(child, 'exit')]);
        assert.deepEqual(message[0], 'done');
      }),
    );
    const files = readdirSync(folder);
    const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1));
    const expected = names.flatMap((name) => range(0, count - 1).map((n) => `${name} ${n}`));
    assert.deepEqual(lines.sort(), expected.sort());
    // Of the eighteen that they would fill: whoever has the lock may be held up, and the others write on meanwhile.
    assert.ok(files.length > 2, `${files.length} files`);
  });
});
