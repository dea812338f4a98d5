import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Registrations } from '../../src/domain/discovery/registrations.js';

const TTL_MS = 1000;

describe('registrations', () => {
  it('are silent once their last heartbeat is older than the TTL, and back with the next', () => {
    const registrations = new Registrations(TTL_MS);
    registrations.add('a', 0);
    assert.equal(registrations.updateSilent(TTL_MS), false);
    assert.equal(registrations.updateSilent(TTL_MS + 1), true);
    assert.deepEqual([...registrations.silent], ['a']);
    assert.equal(registrations.updateSilent(TTL_MS + 2), false);
    assert.equal(registrations.beat('a', 1500), true);
    assert.equal(registrations.updateSilent(1600), true);
    assert.equal(registrations.silent.size, 0);
  });

  it('keep the later heartbeat when they are read again', () => {
    const registrations = new Registrations(TTL_MS);
    registrations.restore({ id: 'a', ageMs: 5000 }, 100);
    assert.equal(registrations.ageMs('a', 100), 5000);
    registrations.beat('a', 200);
    registrations.restore({ id: 'a', ageMs: 5000 }, 300);
    assert.equal(registrations.ageMs('a', 300), 100);
    assert.deepEqual(registrations.takeUnsaved(300), [{ id: 'a', ageMs: 100 }]);
  });

  it('are saved once, and again where saving has failed', () => {
    const registrations = new Registrations(TTL_MS);
    for (const id of ['a', 'b']) registrations.add(id, 0);
    assert.deepEqual(registrations.takeUnsaved(0), []);
    registrations.beat('b', 10);
    const taken = registrations.takeUnsaved(30);
    assert.deepEqual(taken, [{ id: 'b', ageMs: 20 }]);
    assert.deepEqual(registrations.takeUnsaved(40), []);
    registrations.remove('a');
    registrations.giveBack([...taken, { id: 'a', ageMs: 0 }]);
    assert.deepEqual(registrations.takeUnsaved(50), [{ id: 'b', ageMs: 40 }]);
  });

  it('know whose silence is the longest, and nobody who is not there', () => {
    const registrations = new Registrations(TTL_MS);
    assert.deepEqual(
      [registrations.beat('x', 0), registrations.ageMs('x', 0), registrations.mostSilent(0, new Set())],
      [false, null, null],
    );
    for (const [id, at] of [
      ['a', 50],
      ['b', 0],
      ['c', 5000],
    ] as const)
      registrations.add(id, at);
    registrations.updateSilent(5000);
    assert.equal(registrations.mostSilent(5000, new Set()), 'b');
    registrations.keepOnly((id) => id !== 'b');
    registrations.updateSilent(5000);
    assert.deepEqual([registrations.mostSilent(5000, new Set()), registrations.count], ['a', 2]);
  });

  it('tell of a change exactly where there is one', () => {
    const step = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      kind: fc.constantFrom('add', 'beat', 'remove', 'wait'),
      ms: fc.nat(800),
    });
    const property = fc.property(fc.array(step), (steps) => {
      const registrations = new Registrations(TTL_MS);
      const heard = new Map<string, number>();
      let nowMs = 0;
      let before = '';
      for (const { id, kind, ms } of steps) {
        nowMs += ms;
        if (kind === 'add') registrations.add(id, nowMs);
        if (kind === 'beat') registrations.beat(id, nowMs);
        if (kind === 'remove') registrations.remove(id);
        if (kind === 'add' || (kind === 'beat' && heard.has(id))) heard.set(id, nowMs);
        if (kind === 'remove') heard.delete(id);
        const silent = [...heard].filter(([, at]) => nowMs - at > TTL_MS).map(([each]) => each);
        const after = silent.sort().join();
        assert.equal(registrations.updateSilent(nowMs), after !== before);
        assert.equal([...registrations.silent].sort().join(), after);
        before = after;
      }
    });
    fc.assert(property);
  });
});
