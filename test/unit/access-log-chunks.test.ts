/** What the access log hands to its output: whole lines, in their order, and whether the reader takes any. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineChunks } from '../../src/adapters/outbound/access-log/line-chunks.js';
import type { LineOutput } from '../../src/adapters/outbound/log/line-output.js';

/** Takes so many bytes and then none; null = it is gone. */
function outputOf(room: number | null): LineOutput & { text: string } {
  let left = room;
  return {
    text: '',
    retryMs: 0,
    write(bytes) {
      if (left === null) return null;
      const written = Math.min(left, bytes.length);
      left -= written;
      this.text += bytes.toString('latin1', 0, written);
      return written;
    },
    close: () => undefined,
  };
}

describe('the chunks of the access log', () => {
  it('say whether the reader has taken something since they were asked', () => {
    const chunks = new LineChunks(10);
    for (const line of ['one\n', 'two\n', 'three\n']) chunks.add(line);
    assert.equal(chunks.takeProgress(), false);
    chunks.writeTo(outputOf(0));
    assert.equal(chunks.takeProgress(), false);
    const slow = outputOf(6);
    chunks.writeTo(slow);
    // Not undone by a try in vain.
    chunks.writeTo(slow);
    assert.equal(chunks.takeProgress(), true);
    assert.equal(chunks.takeProgress(), false);
    assert.equal(chunks.isEmpty, false);
    const fast = outputOf(100);
    chunks.writeTo(fast);
    assert.equal(chunks.takeProgress(), true);
    assert.equal(slow.text + fast.text, 'one\ntwo\nthree\n');
  });

  it('count the lines that an output which is gone has lost: no progress', () => {
    const chunks = new LineChunks(10);
    for (const line of ['one\n', 'two\n', 'three\n']) chunks.add(line);
    assert.equal(chunks.writeTo(outputOf(null)), 3);
    assert.equal(chunks.takeProgress(), false);
    assert.equal(chunks.isEmpty, true);
  });
});
