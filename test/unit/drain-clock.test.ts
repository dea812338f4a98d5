import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DrainClock, type DrainingBackend } from '../../src/domain/health/drain-clock.js';

function backend(id: string, changes: Partial<DrainingBackend> = {}): DrainingBackend {
  return { id, slot: id.charCodeAt(0), owner: 0, timeoutMs: 60, ...changes };
}

function rig() {
  const held = new Set(['a', 'b']);
  const clock = new DrainClock(({ id }) => held.has(id));
  const update = (draining: readonly DrainingBackend[], nowMs: number, published = ['a', 'b']): void =>
    clock.update(draining, new Set(published), nowMs);
  const takeDue = (nowMs: number): string =>
    clock
      .takeDue(nowMs)
      .map(({ id }) => id)
      .join();
  return { held, clock, update, takeDue };
}

describe('DrainClock', () => {
  it('gives a backend that has been draining for its time, whatever tables came meanwhile', () => {
    const { clock, update, takeDue } = rig();
    update([backend('a')], 100);
    update([backend('a'), backend('b', { timeoutMs: 10 })], 130);
    assert.equal(clock.nextDueMs, 140);
    assert.deepEqual([takeDue(139), takeDue(140), takeDue(159), takeDue(160)], ['', 'b', '', 'a']);
  });

  it('forgets one that drains no more, and begins anew with the next drain', () => {
    const { clock, update, takeDue } = rig();
    update([backend('a')], 0);
    update([], 50);
    assert.deepEqual([clock.nextDueMs, takeDue(60)], [Infinity, '']);
    update([backend('a')], 70);
    assert.deepEqual([takeDue(129), takeDue(130)], ['', 'a']);
  });

  it('counts another limit from the same beginning', () => {
    const { clock, update, takeDue } = rig();
    update([backend('a', { timeoutMs: 0 })], 0);
    assert.equal(clock.nextDueMs, Infinity);
    update([backend('a', { timeoutMs: 30 })], 50);
    assert.equal(takeDue(50), 'a');
    update([backend('a', { timeoutMs: 0 })], 60);
    assert.equal(clock.nextDueMs, Infinity);
  });

  it('gives one again for as long as it has connections, and none that has none', () => {
    const { held, update, takeDue } = rig();
    update([backend('a')], 0);
    held.delete('a');
    assert.equal(takeDue(60), '');
    held.add('a');
    assert.deepEqual([takeDue(1060), takeDue(1061), takeDue(2060)], ['a', '', 'a']);
  });

  it('goes on with one that was removed while it drains, until its last connection ends', () => {
    const { held, clock, update, takeDue } = rig();
    update([backend('a'), backend('b')], 0);
    update([], 10, []);
    assert.equal(takeDue(60), 'a,b');
    held.delete('a');
    update([], 70, []);
    assert.equal(takeDue(1060), 'b');
    held.delete('b');
    update([], 1070, []);
    assert.equal(clock.nextDueMs, Infinity);
  });

  it('takes another owner of the slot for another backend', () => {
    const { update, takeDue } = rig();
    update([backend('a')], 0);
    update([backend('a', { owner: 1 })], 50);
    assert.deepEqual([takeDue(60), takeDue(110)], ['', 'a']);
  });
});
