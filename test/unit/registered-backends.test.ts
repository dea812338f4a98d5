import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RegisteredBackends } from '../../src/application/discovery/registered-backends.js';
import type { ChangeOutcome, RegistrationStore, StoredChange } from '../../src/application/ports/registration-store.js';
import type { Heartbeat } from '../../src/domain/discovery/registrations.js';

const TTL_SECS = 60;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Write {
  readonly changes: readonly StoredChange[];
  readonly heartbeats: readonly Heartbeat[];
  readonly succeed: (...outcomes: ChangeOutcome['kind'][]) => Promise<void>;
  readonly fail: () => Promise<void>;
}

/** A store whose writes end when the test says so, and a clock that stands still. */
class Rig {
  readonly writes: Write[] = [];
  readonly failures: string[] = [];
  readonly backends: RegisteredBackends;
  silent: readonly string[] = [];
  nowMs = 0;
  loaded: readonly Heartbeat[] = [];
  refreshRouting: () => void = () => undefined;
  #timers: { readonly action: () => void; readonly atMs: number }[] = [];

  constructor() {
    const store: RegistrationStore = {
      load: () => Promise.resolve(this.loaded),
      close: () => Promise.resolve(),
      write: (changes, heartbeats) => this.#write(changes, heartbeats),
    };
    this.backends = new RegisteredBackends({
      store,
      nowMs: () => this.nowMs,
      schedule: (action, delayMs) => {
        const timer = { action, atMs: this.nowMs + delayMs };
        this.#timers.push(timer);
        return () => (this.#timers = this.#timers.filter((each) => each !== timer));
      },
      refreshRouting: () => Promise.resolve(this.refreshRouting()),
      useSilent: (ids) => (this.silent = [...ids].sort()),
      onFailure: (_error, what) => this.failures.push(what),
      onSilent: () => undefined,
    });
    this.backends.useTtl(TTL_SECS);
  }

  /** Lets the time pass in steps of a second, and everything happen that is due. */
  async pass(secs: number): Promise<void> {
    for (let sec = 0; sec < secs; sec++) {
      this.nowMs += 1000;
      const due = this.#timers.filter(({ atMs }) => atMs <= this.nowMs);
      this.#timers = this.#timers.filter(({ atMs }) => atMs > this.nowMs);
      for (const { action } of due) action();
      await turn();
    }
  }

  async registered(...ids: string[]): Promise<void> {
    for (const id of ids) {
      const done = this.backends.register({ id, values: {} });
      await this.writes.shift()?.succeed('added');
      await this.pass(2);
      await done;
    }
  }

  #write(changes: readonly StoredChange[], heartbeats: readonly Heartbeat[]): Promise<readonly ChangeOutcome[]> {
    return new Promise((resolve, reject) => {
      this.writes.push({
        changes,
        heartbeats,
        succeed: (...kinds) => {
          resolve(kinds.map((kind) => (kind === 'refused' ? { kind, reason: '' } : { kind })));
          return turn();
        },
        fail: () => {
          reject(new Error('locked'));
          return turn();
        },
      });
    });
  }
}

describe('registered backends', () => {
  it('are written together where they come together', async () => {
    const rig = new Rig();
    const first = rig.backends.register({ id: 'a', values: {} });
    const others = ['b', 'c'].map((id) => rig.backends.register({ id, values: {} }));
    assert.deepEqual(
      rig.writes.map(({ changes }) => changes.map(({ id }) => id)),
      [['a']],
    );
    await rig.writes[0]?.succeed('added');
    assert.deepEqual(
      rig.writes[1]?.changes.map(({ id }) => id),
      ['b', 'c'],
    );
    await rig.writes[1].succeed('added', 'foreign');
    await rig.pass(1);
    assert.deepEqual(
      (await Promise.all([first, ...others])).map(({ kind }) => kind),
      ['added', 'added', 'foreign'],
    );
    assert.equal(rig.backends.count, 2);
  });

  it('are not there where they cannot be written', async () => {
    const rig = new Rig();
    const done = rig.backends.register({ id: 'a', values: {} });
    const refused = assert.rejects(done, /locked/);
    await rig.writes[0]?.fail();
    await refused;
    assert.deepEqual(
      [rig.backends.count, rig.backends.heartbeat('a'), rig.backends.heartbeatAgeSecs('a')],
      [0, false, null],
    );
  });

  it('keep heartbeats that cannot be written, and write them later', async () => {
    const rig = new Rig();
    await rig.registered('a', 'b');
    rig.backends.start();
    rig.backends.heartbeat('a');
    await rig.pass(11);
    assert.deepEqual(
      rig.writes[0]?.heartbeats.map(({ id }) => id),
      ['a'],
    );
    await rig.writes.shift()?.fail();
    assert.equal(rig.failures.length, 1);
    assert.equal(rig.backends.heartbeatAgeSecs('a'), 11);
    await rig.pass(11);
    assert.deepEqual(
      rig.writes[0].heartbeats.map(({ id }) => id),
      ['a'],
    );
    await rig.writes.shift()?.succeed();
    await rig.pass(11);
    assert.equal(rig.writes.length, 0);
  });

  it('get no clients when they are silent, come back with a heartbeat, and are forgotten in the end', async () => {
    const rig = new Rig();
    await rig.registered('a', 'b');
    rig.backends.start();
    await rig.pass(TTL_SECS + 2);
    assert.deepEqual(rig.silent, ['a', 'b']);
    rig.backends.heartbeat('b');
    await rig.pass(2);
    assert.deepEqual(rig.silent, ['a']);
    for (let minute = 0; minute < 60; minute++) {
      rig.backends.heartbeat('b');
      await rig.pass(TTL_SECS);
      while (rig.writes[0]?.changes.length === 0) await rig.writes.shift()?.succeed();
    }
    assert.deepEqual(rig.silent, ['a']);
    assert.deepEqual(rig.writes[0]?.changes, [{ kind: 'remove', id: 'a' }]);
  });

  it('make room for another where they are silent and the table is full', async () => {
    const rig = new Rig();
    await rig.registered('a');
    await rig.registered('b');
    const refused = rig.backends.register({ id: 'c', values: {} });
    await rig.writes.shift()?.succeed('full');
    assert.equal((await refused).kind, 'full');
    rig.backends.start();
    await rig.pass(TTL_SECS + 4);
    const taken = rig.backends.register({ id: 'c', values: {} });
    await rig.writes.shift()?.succeed('full');
    assert.deepEqual(rig.writes[0]?.changes, [{ kind: 'remove', id: 'a' }]);
    await rig.writes.shift()?.succeed('removed');
    await rig.pass(2);
    await rig.writes.shift()?.succeed('added');
    await rig.pass(2);
    assert.equal((await taken).kind, 'added');
  });

  it('make room for several at once, one place each, and not twice the same', async () => {
    const rig = new Rig();
    await rig.registered('a');
    await rig.registered('b');
    await rig.registered('c');
    rig.backends.start();
    await rig.pass(TTL_SECS + 4);
    const [refused, removed]: [Set<string>, string[]] = [new Set(), []];
    const outcome = ({ kind, id }: StoredChange): ChangeOutcome['kind'] => {
      if (kind === 'remove') return removed.push(id) > 0 && id === 'a' ? 'unknown' : 'removed';
      return refused.size < refused.add(id).size ? 'full' : 'added';
    };
    const taken = ['x', 'y'].map((id) => rig.backends.register({ id, values: {} }));
    for (let round = 0; round < 20; round++) {
      const write = rig.writes.shift();
      // Somebody else has removed a already.
      await write?.succeed(...write.changes.map(outcome));
      await rig.pass(1);
    }
    assert.deepEqual(
      (await Promise.all(taken)).map(({ kind }) => kind),
      ['added', 'added'],
    );
    assert.deepEqual(removed.sort(), ['a', 'b', 'c']);
  });

  it('are taken over with those that the old version has registered since the routing table was read', async () => {
    const rig = new Rig();
    rig.backends.useBackends((id) => id === 'a');
    rig.loaded = ['a', 'late', 'removed'].map((id) => ({ id, ageMs: 0 }));
    rig.refreshRouting = () => rig.backends.useBackends((id) => id === 'a' || id === 'late');
    await rig.backends.takeOver();
    assert.equal(rig.backends.count, 2);
    assert.ok(rig.backends.heartbeat('late'));
  });
});
