/** The hash of a client is the same in TypeScript and in C++: native/test/rate_gate_test.cc expects the same digest. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANY_LISTENER, ClientKey } from '../../src/domain/shared/client-key.js';

const CLIENTS = 100_000;
const DIGEST = 0x7437ca84;

/** xorshift32 (Marsaglia, "Xorshift RNGs"). */
function* xorshift(): Generator<number, never> {
  for (let state = 2463534242; ;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state | 0;
  }
}

describe('the key of a client', () => {
  it('is the one that C++ computes', () => {
    const random = xorshift();
    const next = (): number => random.next().value;
    const key = new ClientKey([0x01234567, 0x89abcdef | 0, 0xdeadbeef | 0, 0x00c0ffee]);
    let digest = 0x811c9dc5;
    const add = (word: number): void => {
      digest = Math.imul(digest ^ word, 0x01000193);
    };
    for (let i = 0; i < CLIENTS; i++) {
      const w3 = next();
      let words: [number, number, number, number] = [0, 0, 0xffff, w3];
      if (i % 3 !== 0) words = [next(), next(), next(), w3];
      // The first words of an IPv4 address, and yet none.
      if (i % 3 === 2) words = [0, 0, words[2], w3];
      key.assign(i % 2 === 0 ? ANY_LISTENER : 7, ...words);
      add(key.tag);
      add(key.set);
    }
    assert.equal(digest >>> 0, DIGEST);
  });

  it('is of the /64, and the same for each spelling of an IPv4 address', () => {
    const tagOf = (...words: [number, number, number, number]): number => {
      const key = new ClientKey([1, 2, 3, 4]);
      key.assign(ANY_LISTENER, ...words);
      return key.tag;
    };
    assert.equal(tagOf(0x20010db8, 1, 2, 3), tagOf(0x20010db8, 1, -4, 5));
    assert.notEqual(tagOf(0x20010db8, 1, 2, 3), tagOf(0x20010db8, 2, 2, 3));
    assert.notEqual(tagOf(0, 0, 0xffff, 0x7f000001), tagOf(0x7f000001, 0, 0, 0));
    assert.equal(tagOf(0, 0, 0xffff, 0xc0000201), tagOf(0, 0, 0xffff, 0xc0000201 | 0));
  });
});
