import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Logger } from '../../src/application/ports/logger.js';
import { RefreshLoop } from '../../src/application/refresh-loop.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';

const INTERVAL_MS = 5000;

/** Holds the one action that waits for its turn. */
class FakeSchedule {
  action: (() => void) | null = null;
  delayMs = 0;
  scheduled = 0;

  readonly schedule = (action: () => void, delayMs: number): (() => void) => {
    assert.equal(this.action, null, 'a second turn is scheduled beside the first');
    this.action = action;
    this.delayMs = delayMs;
    this.scheduled++;
    return () => {
      if (this.action === action) this.action = null;
    };
  };

  fire(): void {
    const { action } = this;
    assert.ok(action, 'no turn is scheduled');
    this.action = null;
    action();
  }
}

class RecordingLogger implements Logger {
  readonly lines: string[] = [];
  readonly contexts: object[] = [];
  debug = (): void => undefined;
  info = (_context: object, message: string): void => void this.lines.push(`info: ${message}`);
  warn = (_context: object, message: string): void => void this.lines.push(`warn: ${message}`);
  error = (context: object, message: string): void => {
    this.contexts.push(context);
    this.lines.push(`error: ${message}`);
  };
}

type Answer = string | null | Error;

describe('RefreshLoop', () => {
  let fake: FakeSchedule;
  let logger: RecordingLogger;
  let answers: Answer[];
  let applied: string[];
  let reads: number;
  let loop: RefreshLoop<string>;

  const failed = (reason: string): string => `error: the source cannot be read; the last one stays in force: ${reason}`;
  const RECOVERED = 'info: the source can be read again';

  function makeLoop(read: () => Promise<string | null>): RefreshLoop<string> {
    const apply = (state: string): void => void applied.push(state);
    return new RefreshLoop({ name: 'source', intervalMs: INTERVAL_MS, read, apply, logger, schedule: fake.schedule });
  }

  /** Lets a turn with an answer that is already there run to its end. */
  async function turn(): Promise<void> {
    fake.fire();
    await new Promise((resolve) => setImmediate(resolve));
  }

  beforeEach(() => {
    fake = new FakeSchedule();
    logger = new RecordingLogger();
    answers = [];
    applied = [];
    reads = 0;
    loop = makeLoop(() => {
      reads++;
      const answer = answers.shift() ?? null;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    });
  });

  it('applies the first state before start() resolves, then reads at every interval', async () => {
    answers = ['first', 'second'];
    await loop.start();
    assert.deepEqual(applied, ['first']);
    assert.equal(fake.delayMs, INTERVAL_MS);
    await turn();
    assert.deepEqual(applied, ['first', 'second']);
    assert.notEqual(fake.action, null);
  });

  it('hands the failure of the first read to the caller and does not go on', async () => {
    answers = [new Error('no such file')];
    await assert.rejects(loop.start(), /no such file/);
    assert.equal(fake.action, null);
    assert.deepEqual(logger.lines, []);
  });

  it('applies nothing where nothing changed', async () => {
    answers = ['first', null, null];
    await loop.start();
    await turn();
    await turn();
    assert.deepEqual(applied, ['first']);
    assert.equal(reads, 3);
  });

  it('keeps the last state through a failure, logs it once, and says when it is over', async () => {
    answers = ['first', new Error('locked'), new Error('locked'), new Error('locked'), 'second'];
    await loop.start();
    for (let i = 0; i < 3; i++) await turn();
    assert.deepEqual(applied, ['first']);
    assert.deepEqual(logger.lines, [failed('locked')]);
    await turn();
    assert.deepEqual(applied, ['first', 'second']);
    assert.deepEqual(logger.lines, [failed('locked'), RECOVERED]);
  });

  it('logs a failure of another kind, and the same one again after a recovery', async () => {
    answers = ['first', new Error('locked'), new Error('damaged'), 'second', new Error('damaged')];
    await loop.start();
    for (let i = 0; i < 4; i++) await turn();
    assert.deepEqual(logger.lines, [failed('locked'), failed('damaged'), RECOVERED, failed('damaged')]);
  });

  it('says that a failure is over also where nothing has changed meanwhile, and logs the next one', async () => {
    answers = ['first', new Error('locked'), null, new Error('locked')];
    await loop.start();
    for (let i = 0; i < 3; i++) await turn();
    assert.deepEqual(logger.lines, [failed('locked'), RECOVERED, failed('locked')]);
  });

  it('tries the first read again where that can help, and gives up in the end', async () => {
    const locked = new EdgeproxyError('EP_DB_LOCKED', 'It is locked.', { source: 'internal', isRetryable: true });
    answers = [locked, 'first'];
    const started = loop.start();
    await new Promise((resolve) => setImmediate(resolve));
    fake.fire();
    await started;
    assert.deepEqual(applied, ['first']);

    fake.action = null;
    answers = Array.from({ length: 20 }, () => locked);
    const givenUp = assert.rejects(loop.start(), locked);
    for (let i = 0; i < 9; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      fake.fire();
    }
    await givenUp;
    assert.equal(reads, 12);
  });

  it('logs the stable code of a failure', async () => {
    const failure = new EdgeproxyError('EP_GEO_DAMAGED', 'The file is damaged.', { source: 'config' });
    answers = ['first', failure];
    await loop.start();
    await turn();
    assert.deepEqual(logger.contexts, [{ code: 'EP_GEO_DAMAGED' }]);
  });

  it('logs another file that is refused for the same reason, but not the same one twice', async () => {
    const refusal = (identity: string): EdgeproxyError =>
      new EdgeproxyError('EP_GEO_DAMAGED', 'It is damaged.', { source: 'config', context: { identity } });
    answers = ['first', refusal('a'), refusal('a'), refusal('b')];
    await loop.start();
    for (let i = 0; i < 3; i++) await turn();
    assert.deepEqual(logger.lines, [failed('It is damaged.'), failed('It is damaged.')]);
  });

  it('logs a state that cannot be applied like one that cannot be read, and goes on', async () => {
    const states = ['first', 'poison', 'third'];
    loop = new RefreshLoop({
      name: 'source',
      intervalMs: INTERVAL_MS,
      read: () => Promise.resolve(states.shift() ?? null),
      apply: (state) => {
        if (state === 'poison') throw new Error('does not fit');
        applied.push(state);
      },
      logger,
      schedule: fake.schedule,
    });
    await loop.start();
    await turn();
    await turn();
    assert.deepEqual(applied, ['first', 'third']);
    assert.deepEqual(logger.lines, [failed('does not fit'), RECOVERED]);
  });

  it('reads at once when asked to, and the interval starts over', async () => {
    answers = ['first', 'second'];
    await loop.start();
    await loop.refreshNow();
    assert.deepEqual(applied, ['first', 'second']);
    assert.notEqual(fake.action, null);
    assert.equal(fake.scheduled, 2);
  });

  it('reads once more when asked to during a read, because that one may have begun before the change', async () => {
    const waiting: ((state: string | null) => void)[] = [];
    loop = makeLoop(() => {
      reads++;
      return new Promise((resolve) => waiting.push(resolve));
    });
    const started = loop.start();
    waiting.shift()?.('first');
    await started;
    fake.fire();
    const asked = loop.refreshNow();
    const askedToo = loop.refreshNow();
    assert.equal(reads, 2, 'two reads at a time');
    waiting.shift()?.(null);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reads, 3, 'the change after the read began is not seen');
    waiting.shift()?.('second');
    await Promise.all([asked, askedToo]);
    assert.deepEqual(applied, ['first', 'second']);
    assert.equal(reads, 3);
    assert.notEqual(fake.action, null);
  });

  it('applies nothing and schedules nothing after stop(), also where a read was under way', async () => {
    const waiting: ((state: string | null) => void)[] = [];
    loop = makeLoop(() => new Promise((resolve) => waiting.push(resolve)));
    const started = loop.start();
    waiting.shift()?.('first');
    await started;
    fake.fire();
    loop.stop();
    waiting.shift()?.('second');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(applied, ['first']);
    assert.equal(fake.action, null);
  });

  it('discards what is read too late, and applies nothing where it is stopped before the first state', async () => {
    const waiting: ((state: string | null) => void)[] = [];
    const discarded: string[] = [];
    const options = {
      name: 'source',
      intervalMs: INTERVAL_MS,
      read: () => new Promise<string | null>((resolve) => waiting.push(resolve)),
      apply: (state: string) => void applied.push(state),
      discard: (state: string) => void discarded.push(state),
      logger,
      schedule: fake.schedule,
    };
    loop = new RefreshLoop(options);
    const started = loop.start();
    loop.stop();
    waiting.shift()?.('first');
    await started;
    assert.deepEqual([applied, discarded, fake.action], [[], ['first'], null]);

    loop = new RefreshLoop(options);
    const startedToo = loop.start();
    waiting.shift()?.('second');
    await startedToo;
    const refreshed = loop.refreshNow();
    loop.stop();
    waiting.shift()?.('third');
    await refreshed;
    assert.deepEqual([applied, discarded, fake.action], [['second'], ['first', 'third'], null]);
  });

  it('does not try the first read again after stop()', async () => {
    const locked = new EdgeproxyError('EP_DB_LOCKED', 'It is locked.', { source: 'internal', isRetryable: true });
    answers = [locked, 'first'];
    const givenUp = assert.rejects(loop.start(), locked);
    loop.stop();
    await givenUp;
    assert.deepEqual([applied, reads, fake.action], [[], 1, null]);
  });

  it('reads nothing when asked to after stop()', async () => {
    answers = ['first', 'second'];
    await loop.start();
    loop.stop();
    await loop.refreshNow();
    assert.equal(reads, 1);
    assert.equal(fake.action, null);
  });
});
