import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createLogger } from '../../src/adapters/outbound/log/create-logger.js';
import type { ProcessLogger } from '../../src/adapters/outbound/log/create-logger.js';
import { createPrettifier } from '../../src/adapters/outbound/log/pretty-line.js';
import type { LogFormat, LogLevel } from '../../src/application/proxy-config.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';

type Line = Readonly<Record<string, unknown>>;

describe('createLogger', () => {
  let folder: string;
  let fd: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgeproxy-log-'));
    fd = openSync(join(folder, 'log'), 'w');
  });
  afterEach(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });

  function logged(
    use: (logger: ProcessLogger) => void,
    level: LogLevel = 'info',
    format: LogFormat = 'json',
  ): string[] {
    const logger = createLogger({ level, format, role: 'primary', fd });
    use(logger);
    logger.close();
    return readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(0, -1);
  }

  it('writes one JSON object per event with time, level, pid and role', () => {
    const lines = logged((logger) => logger.info({ port: 8080 }, 'listening'));
    assert.equal(lines.length, 1);
    const { time, ...line } = JSON.parse(lines[0] ?? '') as Line;
    assert.deepEqual(line, { level: 'info', pid: process.pid, role: 'primary', port: 8080, msg: 'listening' });
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('leaves out what is below the level', () => {
    const all = (logger: ProcessLogger): void => {
      logger.debug({}, 'd');
      logger.info({}, 'i');
      logger.warn({}, 'w');
      logger.error({}, 'e');
    };
    assert.deepEqual(
      logged(all, 'warn').map((line) => (JSON.parse(line) as Line)['msg']),
      ['w', 'e'],
    );
  });

  it('writes nothing at all when silent', () => {
    assert.deepEqual(
      logged((logger) => logger.error({}, 'e'), 'silent'),
      [],
    );
  });

  it('gives the lines of a child its bindings', () => {
    const [line = ''] = logged((logger) => logger.child({ worker: 2 }).warn({ a: 1 }, 'slow'));
    const { worker, a, role } = JSON.parse(line) as Line;
    assert.deepEqual([worker, a, role], [2, 1, 'primary']);
  });

  it('writes errors with code, context and cause', () => {
    const cause = new Error('database disk image is malformed');
    const error = new EdgeproxyError('EP_CONFIG', 'cannot', { source: 'internal', context: { row: 3 }, cause });
    for (const key of ['error', 'err']) {
      const line = logged((logger) => logger.error({ [key]: error }, 'failed')).at(-1) ?? '';
      const written = (JSON.parse(line) as Record<string, Line>)[key];
      assert.deepEqual([written?.['code'], written?.['context']], ['EP_CONFIG', { row: 3 }]);
      assert.match(String(written?.['message']), /cannot.*malformed/);
    }
  });

  it('keeps a line one line, whatever a backend is called', () => {
    const context = { backend: 'x\n{"level":"error","msg":"forged"}\u001b[2J' };
    assert.equal(logged((logger) => logger.info(context, 'added')).length, 1);
    const pretty = logged((logger) => logger.info(context, 'added'), 'info', 'pretty').slice(1);
    assert.equal(pretty.length, 1);
    assert.doesNotMatch(pretty.join(), /\u001b/);
  });

  it('takes control characters out of pretty messages and colours only a terminal', () => {
    const [line = ''] = logged((logger) => logger.info({}, 'cleared\u001b[2J'), 'info', 'pretty');
    assert.match(line, /INFO: primary: cleared\uFFFD\[2J$/);
  });

  it('takes control characters out of everything else that a pretty line shows', () => {
    const foreign = '\u001b[2J\u009b2J\u202eevil\u2066\r\u007f';
    const error = new EdgeproxyError('EP_CONFIG', foreign, {
      source: 'internal',
      context: { [foreign]: [foreign, { deep: foreign }] },
      cause: new Error(foreign),
    });
    const lines = logged((logger) => logger.error({ error, [foreign]: foreign }, foreign), 'info', 'pretty');
    assert.match(lines.join('\n'), /evil/);
    assert.doesNotMatch(lines.join('\n'), /(?![\n\t])[\p{Cc}\p{Cf}]/u);
  });

  it('colours a line, but lets nobody else do so', () => {
    const line = createPrettifier(true)(
      '{"level":"error","role":"primary","msg":"\\u001b[31mred\\u009b0m","a":"\u202e"}',
    );
    assert.match(line, /\u001b\[31mERROR/);
    assert.doesNotMatch(line.replaceAll(/\u001b\[\d+m(?!red)/g, '').trimEnd(), /[\p{Cc}\p{Cf}]/u);
  });

  it('drops what is logged after close, and closes twice', () => {
    const logger = createLogger({ level: 'info', format: 'json', role: 'primary', fd });
    logger.close();
    logger.info({}, 'late');
    logger.close();
    assert.equal(logger.droppedLines, 1);
    assert.equal(readFileSync(join(folder, 'log'), 'utf8'), '');
  });

  it('drops a line that is larger than all it may keep', () => {
    const logger = createLogger({ level: 'info', format: 'json', role: 'primary', fd, limitBytes: 1000 });
    logger.info({ text: 'x'.repeat(2000) }, 'large');
    logger.info({}, 'small');
    logger.close();
    const messages = readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');
    assert.deepEqual(
      messages.map((line) => (JSON.parse(line) as Line)['msg']),
      ['small', 'log lines were dropped: the reader was too slow'],
    );
  });

  it('keeps running on a full device and reports the loss', () => {
    const full = openSync('/dev/full', 'w');
    const logger = createLogger({ level: 'info', format: 'json', role: 'primary', fd: full });
    logger.info({}, 'lost');
    assert.equal(logger.droppedLines, 1);
    logger.close();
    closeSync(full);
  });
});
