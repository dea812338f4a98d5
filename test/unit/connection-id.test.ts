import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatConnectionId, parseConnectionId } from '../../src/domain/connection-id.js';

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const ids = fc.record({
  worker: fc.integer({ min: 0, max: 127 }),
  life: word,
  isUdp: fc.boolean(),
  index: word,
  generation: word,
});

describe('the id of a connection', () => {
  it('is read as it was written', () => {
    fc.assert(fc.property(ids, (id) => assert.deepEqual(parseConnectionId(formatConnectionId(id)), { ...id })));
  });

  it('is nothing else', () => {
    const mangled = fc.tuple(ids, fc.nat(40), fc.string({ unit: 'binary', maxLength: 3 })).map(([id, at, text]) => {
      const whole = formatConnectionId(id);
      return whole.slice(0, at) + text + whole.slice(at + 1);
    });
    fc.assert(
      fc.property(fc.oneof(mangled, fc.string({ unit: 'binary' })), (text) => {
        const id = parseConnectionId(text);
        if (id !== null) assert.equal(formatConnectionId(id), text);
      }),
    );
    for (const text of [
      '',
      '0-0000000a-1',
      '0-0000000A-1-1',
      '00-0000000a-1-1',
      '0-0000000a-4294967296-1',
      '0-0000000a-1-1\n',
    ])
      assert.equal(parseConnectionId(text), null);
  });
});
