import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_GEO_LIMITS } from '../../src/adapters/outbound/geo/geo-limits.js';
import { RecordFault, RecordGuard } from '../../src/adapters/outbound/geo/record-guard.js';
import { encodeValue, pointerTo, withControl, type MmdbValue } from '../support/geo-mmdb-writer.js';

const SECTION_START = 7;

describe('RecordGuard', () => {
  it('passes every type of the format', () => {
    const record = {
      text: 'ü'.repeat(300),
      long: 'x'.repeat(40_000),
      number: 5,
      big: 2n ** 63n,
      yes: true,
      list: [1, 'two', [false]],
      bytes: withControl(4, 3, Buffer.from('abc')),
      double: withControl(3, 8, Buffer.alloc(8)),
      float: withControl(15, 4, Buffer.alloc(4)),
      uint16: withControl(5, 2, Buffer.alloc(2)),
      int32: withControl(8, 4, Buffer.alloc(4)),
      uint128: withControl(10, 16, Buffer.alloc(16)),
      nothing: {},
    };
    check([encodeValue(record)], 0);
  });

  it('follows pointers of every size, as value and as key', () => {
    const name = encodeValue('name');
    const filler = (size: number): Buffer => Buffer.alloc(size);
    const targets = [0, 2048 + 5, 526_336 + 9];
    const bytes = Buffer.concat([name, filler(2048 + 5 - 5), name, filler(524_287), name]);
    const pointers = [Buffer.from([0x20, 0]), Buffer.from([0x28, 0, 5]), Buffer.from([0x30, 0, 0, 9]), pointerTo(0)];
    assert.deepEqual(
      targets.map((at) => bytes.toString('latin1', at, at + 5)),
      ['Dname', 'Dname', 'Dname'],
    );
    for (const pointer of pointers) {
      check([bytes, withControl(7, 1, pointer, pointer)], 1);
    }
  });

  const faults: Record<string, { values: MmdbValue[]; at?: number; message: RegExp }> = {
    'an offset behind the section': { values: ['a'], at: 1, message: /behind the end of its section/ },
    'a text that runs past the section': {
      values: [withControl(2, 20, Buffer.from('short'))],
      message: /runs past its section/,
    },
    'a length cut off': { values: [Buffer.from([0x5f, 1])], message: /runs past its section/ },
    'a text longer than the limit': { values: ['x'.repeat(65_537)], message: /a text of 65537 bytes/ },
    'a pointer out of the section': { values: [pointerTo(4_000_000)], message: /offset 4000007, behind/ },
    'a pointer cut off': { values: [Buffer.from([0x38, 0])], message: /runs past its section/ },
    'a pointer to itself': { values: [pointerTo(0)], message: /a pointer to a pointer/ },
    'a map that contains itself': {
      values: [withControl(7, 1, encodeValue('a'), pointerTo(0))],
      message: /inside each other/,
    },
    'an array that contains itself twice': {
      values: [withControl(11, 2, pointerTo(0), pointerTo(0))],
      message: /inside each other/,
    },
    'a map of 16 million values in a few bytes': {
      values: [withControl(7, 16_000_000)],
      message: /a map of 16000000 values/,
    },
    'an array of 16 million values in a few bytes': {
      values: [withControl(11, 16_000_000)],
      message: /an array of 16000000/,
    },
    'a key that is no text': {
      values: [withControl(7, 1, encodeValue(5), encodeValue(5))],
      message: /a map key of type 6/,
    },
    'a pointer to a key that is no text': {
      values: [5, withControl(7, 1, pointerTo(0), encodeValue(5))],
      at: 1,
      message: /a map key of type 6/,
    },
    'a double of 7 bytes': { values: [withControl(3, 7, Buffer.alloc(7))], message: /number of 7 bytes/ },
    'a float of 5 bytes': { values: [withControl(15, 5, Buffer.alloc(5))], message: /number of 5 bytes/ },
    'an integer of too many bytes': { values: [withControl(6, 5, Buffer.alloc(5))], message: /5 bytes of type 6/ },
    'a boolean that is neither': { values: [withControl(14, 2)], message: /a boolean of value 2/ },
    'a type that no record has': { values: [withControl(12, 0)], message: /0 bytes of type 12/ },
  };
  for (const [name, { values, at = 0, message }] of Object.entries(faults)) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => check(values.map(encodeValue), at),
        (error) => error instanceof RecordFault && message.test(error.message),
      );
    });
  }

  it('refuses a small record that decodes to millions of values, at once', () => {
    const layers: Buffer[] = [encodeValue('ha')];
    let at = 0;
    for (let layer = 0; layer < 20; layer++) {
      const next = at + (layers.at(-1)?.length ?? 0);
      layers.push(withControl(11, 10, ...Array.from({ length: 10 }, () => pointerTo(at))));
      at = next;
    }
    // To decode them all would have no end.
    assert.throws(() => check(layers, 20), /more than 4096 values/);
  });
});

/** Checks the value number `index` of a section made of these. */
function check(values: readonly Buffer[], index: number): void {
  const offset = values.slice(0, index).reduce((sum, { length }) => sum + length, SECTION_START);
  const bytes = Buffer.concat([Buffer.alloc(SECTION_START, 0xff), ...values, Buffer.alloc(9, 0x40)]);
  new RecordGuard(bytes, SECTION_START, bytes.length - 9, DEFAULT_GEO_LIMITS).check(offset);
}
