/** The rings of the access log against a model: what was written comes out once, in order, or is counted as lost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  ACCESS_HEADER_WORDS,
  ACCESS_RECORD,
  ACCESS_RING,
  ACCESS_RING_WORDS,
  ACCESS_UNIT_WORDS,
} from '../../src/domain/access-log/access-layout.js';
import {
  AccessRings,
  accessRegionBytes,
  accessUnits,
  initAccessRegion,
} from '../../src/domain/access-log/access-rings.js';

const UNITS = 16;
const UNIT_BYTES = 128;

/** Writes as native/engine/access_ring.cc does. */
class Writer {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #at: number;

  constructor(buffer: SharedArrayBuffer, ring: number) {
    this.#words = new Uint32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#at = ACCESS_HEADER_WORDS + ring * (ACCESS_RING_WORDS + UNITS * ACCESS_UNIT_WORDS);
  }

  begin(position: number): void {
    this.#words[this.#at + ACCESS_RING.HEAD] = position;
    this.#words[this.#at + ACCESS_RING.TAIL] = position;
  }

  /** Whether there was room. */
  write(port: number, name: string): boolean {
    const head = this.#words[this.#at + ACCESS_RING.HEAD] ?? 0;
    const used = (head - (this.#words[this.#at + ACCESS_RING.TAIL] ?? 0)) >>> 0;
    const needed = 1 + Math.ceil(name.length / UNIT_BYTES);
    if (used + needed > UNITS) {
      const dropped = this.#at + ACCESS_RING.DROPPED;
      this.#words[dropped] = (this.#words[dropped] ?? 0) + 1;
      return false;
    }
    const record = this.#unit(head);
    this.#words[record + ACCESS_RECORD.PORT] = port;
    this.#words[record + ACCESS_RECORD.NAME_LENGTH] = name.length;
    for (let index = 0; index < name.length; index++) {
      const unit = this.#unit((head + 1 + Math.floor(index / UNIT_BYTES)) >>> 0);
      this.#bytes[unit * 4 + (index % UNIT_BYTES)] = name.charCodeAt(index);
    }
    this.#words[this.#at + ACCESS_RING.HEAD] = head + needed;
    return true;
  }

  useHead(head: number): void {
    this.#words[this.#at + ACCESS_RING.HEAD] = head;
  }

  #unit(position: number): number {
    return this.#at + ACCESS_RING_WORDS + (position & (UNITS - 1)) * ACCESS_UNIT_WORDS;
  }
}

function regionOf(rings: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(accessRegionBytes(rings, UNITS));
  initAccessRegion(buffer, rings, UNITS);
  return buffer;
}

function takeAll(rings: AccessRings, limit = 1000): string[] {
  const taken: string[] = [];
  const take = (words: Uint32Array, at: number, name: string): void => {
    taken.push(`${words[at + ACCESS_RECORD.PORT] ?? 0} ${name}`);
  };
  while (rings.take(limit, take) > 0);
  return taken;
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ write: fc.nat(2), name: fc.string({ unit: 'binary-ascii', maxLength: 255 }) }) },
  { weight: 1, arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 5 }), isEager: fc.boolean() }) },
);

describe('the rings of the access log', () => {
  it('hand over what was written, each ring in its order, and count what had no room', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(), (steps, position) => {
        const buffer = regionOf(3);
        const writers = [0, 1, 2].map((ring) => new Writer(buffer, ring));
        for (const writer of writers) writer.begin(position);
        const rings = new AccessRings(buffer);
        const written: string[][] = [[], [], []];
        const taken: string[] = [];
        let lost = 0;
        for (const [number, each] of steps.entries()) {
          if ('limit' in each) {
            rings.look(each.isEager);
            taken.push(...takeAll(rings, each.limit));
          } else if (writers[each.write]?.write(number, each.name) === true) {
            written[each.write]?.push(`${number} ${each.name}`);
          } else lost++;
        }
        rings.look(true);
        taken.push(...takeAll(rings));
        for (const ring of written)
          assert.deepEqual(
            taken.filter((text) => ring.includes(text)),
            ring,
          );
        assert.equal(taken.length, written.flat().length);
        assert.equal(rings.dropped, lost);
        assert.equal(rings.fill, 0);
      }),
    );
  });

  it('hand over only what was there at the look before, unless the look is eager', () => {
    const buffer = regionOf(1);
    const writer = new Writer(buffer, 0);
    const rings = new AccessRings(buffer);
    writer.write(1, '');
    rings.look(false);
    assert.deepEqual(takeAll(rings), []);
    writer.write(2, '');
    rings.look(false);
    assert.deepEqual(takeAll(rings), ['1 ']);
    rings.look(true);
    assert.deepEqual(takeAll(rings), ['2 ']);
    rings.look(false);
    assert.deepEqual(takeAll(rings), []);
  });

  it('survive any head that somebody writes, and go on behind it', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xffff_ffff }), fc.nat({ max: 0xffff_ffff }), (start, head) => {
        const buffer = regionOf(1);
        const writer = new Writer(buffer, 0);
        writer.begin(start);
        const rings = new AccessRings(buffer);
        writer.useHead(head);
        rings.look(true);
        assert.ok(takeAll(rings).length <= UNITS);
        rings.look(true);
        assert.deepEqual(takeAll(rings), []);
      }),
    );
  });

  it('go on behind a record that cannot be taken, and count it', () => {
    const buffer = regionOf(1);
    const writer = new Writer(buffer, 0);
    for (const port of [1, 2, 3]) writer.write(port, 'a');
    const rings = new AccessRings(buffer);
    rings.look(true);
    const taken: number[] = [];
    const take = (words: Uint32Array, at: number): void => {
      const port = words[at + ACCESS_RECORD.PORT] ?? 0;
      if (port === 2) throw new RangeError('no line can be made of it');
      taken.push(port);
    };
    assert.equal(rings.take(10, take), 3);
    assert.equal(rings.take(10, take), 0);
    assert.deepEqual(taken, [1, 3]);
    assert.equal(rings.dropped, 1);
    assert.equal(rings.fill, 0);
  });

  it('survive a name that is said to be longer than what is there', () => {
    const buffer = regionOf(1);
    const writer = new Writer(buffer, 0);
    writer.write(1, 'x'.repeat(100));
    new Uint32Array(buffer)[ACCESS_HEADER_WORDS + ACCESS_RING_WORDS + ACCESS_RECORD.NAME_LENGTH] = 0xffff_ffff;
    const rings = new AccessRings(buffer);
    rings.look(true);
    const [text = ''] = takeAll(rings);
    assert.equal(text.length, '1 '.length + UNIT_BYTES);
  });

  it('have room for the end of all connections of a worker, with a server name each, within a bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (connections) => {
        const units = accessUnits(connections);
        assert.equal(Math.log2(units) % 1, 0);
        assert.ok(units <= 131_072 && (units >= 2 * connections + connections / 2 || connections > 40_000));
      }),
    );
  });
});
