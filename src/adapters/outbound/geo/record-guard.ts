/**
 * Walks over an encoded value of a MaxMind DB before the reader decodes it. The reader follows every pointer, allocates
 * what a length field claims and recurses as deep as the data goes; what this guard has passed costs it a bounded number
 * of values inside one section of the file. Format: https://maxmind.github.io/MaxMind-DB/ (2.0), "Data Section".
 */
import type { GeoLimits } from './geo-limits.js';

const POINTER = 1;
const STRING = 2;
const DOUBLE = 3;
const BYTES = 4;
const MAP = 7;
const ARRAY = 11;
const BOOLEAN = 14;
const FLOAT = 15;
/** An extended type is stored less seven, in a byte of its own. */
const EXTENDED = 0;
const EXTENDED_OFFSET = 7;

/** Largest payload in bytes of the integer types: uint16, uint32, int32, uint64, uint128. */
const MAX_INTEGER_BYTES: ReadonlyMap<number, number> = new Map([
  [5, 2],
  [6, 4],
  [8, 4],
  [9, 8],
  [10, 16],
]);

/** Length fields from 29 on continue in 1, 2 or 3 more bytes, counted from these. */
const LENGTH_BASES = [29, 285, 65_821];
/** Pointers of 1, 2, 3 or 4 more bytes count from these. */
const POINTER_BASES = [0, 2048, 526_336, 0];

/** What was found where a sound value was expected; a sentence part. */
export class RecordFault extends Error {
  override readonly name = 'RecordFault';
}

type RecordLimits = Pick<GeoLimits, 'maxRecordValues' | 'maxRecordDepth' | 'maxTextBytes'>;

export class RecordGuard {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #limits: RecordLimits;
  #valuesLeft = 0;

  /** The section lies at [start, end) of the file; pointers count from its start. */
  constructor(bytes: Buffer, start: number, end: number, limits: RecordLimits) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#limits = limits;
  }

  /** Throws a RecordFault unless a sound value of bounded size starts at that offset of the file. */
  check(offset: number): void {
    this.#valuesLeft = this.#limits.maxRecordValues;
    this.#value(offset, 0);
  }

  /** Returns the offset behind the value. */
  #value(offset: number, depth: number, mustBeString = false): number {
    if (--this.#valuesLeft < 0) throw new RecordFault(`more than ${this.#limits.maxRecordValues} values in one record`);
    const control = this.#byte(offset++);
    let type = control >> 5;
    if (type === POINTER) return this.#pointer(control, offset, depth, mustBeString);
    if (type === EXTENDED) type = this.#byte(offset++) + EXTENDED_OFFSET;
    if (mustBeString && type !== STRING) throw new RecordFault(`a map key of type ${type} at offset ${offset}`);
    const lengthBytes = Math.max(0, (control & 31) - 28);
    const length = this.#length(control & 31, offset, lengthBytes);
    return this.#payload(type, offset + lengthBytes, length, depth);
  }

  #payload(type: number, offset: number, length: number, depth: number): number {
    switch (type) {
      case MAP:
        return this.#container(offset, length, depth, true);
      case ARRAY:
        return this.#container(offset, length, depth, false);
      case STRING:
      case BYTES:
        if (length > this.#limits.maxTextBytes) throw new RecordFault(`a text of ${length} bytes at offset ${offset}`);
        return this.#skip(offset, length);
      case DOUBLE:
        return this.#fixed(offset, length, 8);
      case FLOAT:
        return this.#fixed(offset, length, 4);
      case BOOLEAN:
        if (length > 1) throw new RecordFault(`a boolean of value ${length} at offset ${offset}`);
        return offset;
      default:
        if (length > (MAX_INTEGER_BYTES.get(type) ?? -1))
          throw new RecordFault(`${length} bytes of type ${type} at offset ${offset}`);
        return this.#skip(offset, length);
    }
  }

  #container(offset: number, length: number, depth: number, isMap: boolean): number {
    if (depth >= this.#limits.maxRecordDepth)
      throw new RecordFault(`more than ${depth} maps and arrays inside each other`);
    // Before the reader allocates for them: that many values cannot follow in what is left of the section.
    if (length > this.#end - offset)
      throw new RecordFault(`${isMap ? 'a map' : 'an array'} of ${length} values at offset ${offset}`);
    for (let i = 0; i < length; i++) {
      if (isMap) offset = this.#value(offset, depth + 1, true);
      offset = this.#value(offset, depth + 1);
    }
    return offset;
  }

  #pointer(control: number, offset: number, depth: number, mustBeString: boolean): number {
    const sizeClass = (control >> 3) & 3;
    const end = this.#skip(offset, sizeClass + 1);
    const stored = this.#bytes.readUIntBE(offset, sizeClass + 1);
    const high = sizeClass === 3 ? 0 : (control & 7) * 2 ** (8 * (sizeClass + 1));
    const target = this.#start + (POINTER_BASES[sizeClass] ?? 0) + high + stored;
    if (this.#byte(target) >> 5 === POINTER) throw new RecordFault(`a pointer to a pointer at offset ${offset - 1}`);
    this.#value(target, depth, mustBeString);
    return end;
  }

  #length(field: number, offset: number, lengthBytes: number): number {
    if (lengthBytes === 0) return field;
    this.#skip(offset, lengthBytes);
    return (LENGTH_BASES[lengthBytes - 1] ?? 0) + this.#bytes.readUIntBE(offset, lengthBytes);
  }

  #fixed(offset: number, length: number, expected: number): number {
    if (length !== expected) throw new RecordFault(`a floating-point number of ${length} bytes at offset ${offset}`);
    return this.#skip(offset, length);
  }

  #skip(offset: number, length: number): number {
    if (offset + length > this.#end)
      throw new RecordFault(`a value that runs past its section, to offset ${offset + length}`);
    return offset + length;
  }

  #byte(offset: number): number {
    const byte = offset < this.#end ? this.#bytes[offset] : undefined;
    if (byte === undefined) throw new RecordFault(`a value at offset ${offset}, behind the end of its section`);
    return byte;
  }
}
