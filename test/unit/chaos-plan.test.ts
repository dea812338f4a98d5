/** What the chaos run relies on: its plans are functions of the seed, and its content betrays every kind of mistake. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scheduleOf, WEIGHTS } from '../chaos/schedule.js';
import { headerOf, readHeader, StreamContent, terminatorOf } from '../chaos/stream-content.js';
import { ContentCheck } from '../chaos/stream-ends.js';
import { planStream } from '../chaos/stream-plan.js';

const BYTES = 5_000_000;

function contentOf(content: StreamContent, id: number, from: number, to: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = from; at < to;) {
    const part = content.slice(id, 'down', at, to - at);
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
}

describe('a chaos schedule', () => {
  it('is the same for the same seed and another one for another', () => {
    assert.deepEqual(scheduleOf('7', 60_000), scheduleOf('7', 60_000));
    assert.notDeepEqual(scheduleOf('7', 60_000), scheduleOf('8', 60_000));
  });

  it('begins as a shorter one with that seed, ends in time and has every kind', () => {
    const long = scheduleOf('7', 600_000);
    const short = scheduleOf('7', 60_000);
    assert.deepEqual(long.slice(0, short.length), short);
    assert.ok(long.every(({ atMs }) => atMs < 600_000));
    assert.deepEqual(new Set(long.map(({ kind }) => kind)), new Set(Object.keys(WEIGHTS)));
  });
});

describe('a chaos stream', () => {
  it('is planned by seed and number', () => {
    assert.deepEqual(planStream('7', 12), planStream('7', 12));
    assert.notDeepEqual(planStream('7', 12), { ...planStream('7', 13), id: 12 });
  });

  it('tells the backend its part of the plan', () => {
    for (let id = 1; id < 200; id++) {
      const plan = planStream('7', id);
      const header = readHeader(headerOf(plan));
      assert.deepEqual({ ...plan, ...header }, plan);
      assert.equal(header?.id, id);
    }
    assert.equal(readHeader(Buffer.from('GET / HTTP/1.1\r\nHost: example.com')), null);
  });

  it('is accepted whole, in whatever pieces it comes', () => {
    const content = new StreamContent('7');
    const check = new ContentCheck(content, 5, 'down', BYTES);
    const all = Buffer.concat([contentOf(content, 5, 0, BYTES), terminatorOf(5)]);
    for (let at = 0; at < all.length; at += 60_001) {
      assert.equal(check.isComplete, false);
      assert.equal(check.take(all.subarray(at, at + 60_001)), null);
    }
    assert.equal(check.isComplete, true);
    assert.match(check.take(Buffer.from('x')) ?? '', /after the end/);
  });

  it('is refused with a byte changed, a pipe or a buffer missing or doubled, or bytes of another stream', () => {
    const content = new StreamContent('7');
    const refuses = (id: number, bytes: Buffer): void => {
      assert.match(new ContentCheck(content, id, 'down', BYTES).take(bytes) ?? '', /wrong byte/);
    };
    const changed = contentOf(content, 5, 0, 1000);
    changed[500] = (changed[500] ?? 0) ^ 1;
    refuses(5, changed);
    for (const gap of [1, 1 << 10, 4 << 10, 64 << 10, 1 << 20]) {
      refuses(
        5,
        Buffer.concat([contentOf(content, 5, 0, 2_000_000), contentOf(content, 5, 2_000_000 + gap, 3_500_000)]),
      );
      refuses(
        5,
        Buffer.concat([contentOf(content, 5, 0, 2_000_000), contentOf(content, 5, 2_000_000 - gap, 2_100_000)]),
      );
    }
    refuses(5, contentOf(content, 6, 0, 100));
  });

  it('is not complete without its terminator', () => {
    const content = new StreamContent('7');
    const check = new ContentCheck(content, 5, 'down', 100);
    assert.equal(check.take(contentOf(content, 5, 0, 100)), null);
    assert.equal(check.isComplete, false);
    assert.match(check.take(terminatorOf(6)) ?? '', /wrong terminator/);
  });
});
