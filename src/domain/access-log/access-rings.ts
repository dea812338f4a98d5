/** The rings of the access log as who reads them sees them, see access-layout.ts. */
import {
  ACCESS_HEADER,
  ACCESS_HEADER_WORDS,
  ACCESS_RECORD,
  ACCESS_RING,
  ACCESS_RING_WORDS,
  ACCESS_UNIT_WORDS,
} from './access-layout.js';

const BYTES_PER_WORD = Uint32Array.BYTES_PER_ELEMENT;
const UNIT_BYTES = ACCESS_UNIT_WORDS * BYTES_PER_WORD;
/** A connection with a server name takes two units, and there are UDP sessions beside connections, half as many. */
const UNITS_PER_CONNECTION = 3;
/** Powers of two; at 128 bytes for each unit a ring of one to sixteen megabytes, of which no page is taken before it is used. */
const LEAST_UNITS = 8192;
const MOST_UNITS = 131_072;

/** So many units that all connections of a worker may end at once, below a bound. */
export function accessUnits(connectionsPerWorker: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(connectionsPerWorker * UNITS_PER_CONNECTION));
  return Math.min(Math.max(wanted, LEAST_UNITS), MOST_UNITS);
}

export function accessRegionBytes(rings: number, units: number): number {
  return (ACCESS_HEADER_WORDS + rings * ringWords(units)) * BYTES_PER_WORD;
}

/** Makes an empty region of a zeroed one. */
export function initAccessRegion(buffer: SharedArrayBuffer, rings: number, units: number): void {
  const words = new Uint32Array(buffer);
  words[ACCESS_HEADER.RINGS] = rings;
  words[ACCESS_HEADER.UNITS] = units;
}

/** Takes one record: the words of the region, where in them the record begins, and its server name. */
export type TakeRecord = (words: Uint32Array, at: number, name: string) => void;

export class AccessRings {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #totals: BigUint64Array;
  readonly #rings: number;
  readonly #units: number;
  /** The heads at the last look, and up to where records are handed over. */
  readonly #seen: Uint32Array;
  readonly #upTo: Uint32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Uint32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#totals = new BigUint64Array(buffer);
    this.#rings = this.#words[ACCESS_HEADER.RINGS] ?? 0;
    this.#units = this.#words[ACCESS_HEADER.UNITS] ?? 0;
    this.#seen = new Uint32Array(this.#rings).map((_, ring) => this.#tailOf(ring));
    this.#upTo = this.#seen.slice();
  }

  /** Whether connections that begin from now on are told of. */
  enable(isEnabled: boolean): void {
    Atomics.store(this.#words, ACCESS_HEADER.IS_ENABLED, isEnabled ? 1 : 0);
  }

  /** Records that had no room and lines that could not be written, since the region was made. */
  get dropped(): number {
    let sum = Atomics.load(this.#totals, ACCESS_HEADER.UNWRITTEN / 2);
    for (let ring = 0; ring < this.#rings; ring++) {
      sum += Atomics.load(this.#totals, (this.#ringAt(ring) + ACCESS_RING.DROPPED) / 2);
    }
    return Number(sum);
  }

  countUnwritten(lines: number): void {
    Atomics.add(this.#totals, ACCESS_HEADER.UNWRITTEN / 2, BigInt(lines));
  }

  /** The largest part of a ring that is in use, 0 to 1. */
  get fill(): number {
    let most = 0;
    for (let ring = 0; ring < this.#rings; ring++) {
      most = Math.max(most, (this.#headOf(ring) - this.#tailOf(ring)) >>> 0);
    }
    return most / this.#units;
  }

  /**
   * What was there at the last look may be taken: what is known of the names in it has had time to get here since then. An eager
   * look lets everything be taken.
   */
  look(isEager: boolean): void {
    for (let ring = 0; ring < this.#rings; ring++) {
      const head = this.#headOf(ring);
      this.#upTo[ring] = isEager ? head : (this.#seen[ring] ?? head);
      this.#seen[ring] = head;
    }
  }

  /**
   * Hands over records in the order of each ring, at most `limit`; returns how many, 0 when all up to the look are taken. One that
   * `takeRecord` throws on is taken for good: it is counted with the lines that could not be written, and the next one follows.
   */
  take(limit: number, takeRecord: TakeRecord): number {
    let taken = 0;
    for (let ring = 0; ring < this.#rings && taken < limit; ring++) {
      taken += this.#takeFrom(ring, limit - taken, takeRecord);
    }
    return taken;
  }

  #takeFrom(ring: number, limit: number, takeRecord: TakeRecord): number {
    const upTo = this.#upTo[ring] ?? 0;
    const records = this.#ringAt(ring) + ACCESS_RING_WORDS;
    let tail = this.#tailOf(ring);
    // Below 0 where the last look is older than what was taken since.
    let left = (upTo - tail) | 0;
    // More than there can be was not written by anybody who means well.
    if (left > this.#units) {
      Atomics.store(this.#words, this.#ringAt(ring) + ACCESS_RING.TAIL, upTo);
      return 0;
    }
    let taken = 0;
    for (; left > 0 && taken < limit; taken++) {
      const at = records + (tail & (this.#units - 1)) * ACCESS_UNIT_WORDS;
      const nameBytes = this.#words[at + ACCESS_RECORD.NAME_LENGTH] ?? 0;
      const nameUnits = Math.min(Math.ceil(nameBytes / UNIT_BYTES), left - 1);
      const name = nameUnits === 0 ? '' : this.#nameAt(records, tail + 1, Math.min(nameBytes, nameUnits * UNIT_BYTES));
      this.#handOver(takeRecord, at, name);
      tail = (tail + 1 + nameUnits) >>> 0;
      left -= 1 + nameUnits;
    }
    // After the last read of what may be written over from now on.
    Atomics.store(this.#words, this.#ringAt(ring) + ACCESS_RING.TAIL, tail);
    return taken;
  }

  #handOver(takeRecord: TakeRecord, at: number, name: string): void {
    try {
      takeRecord(this.#words, at, name);
    } catch {
      this.countUnwritten(1);
    }
  }

  /** Each byte as the character of its number. */
  #nameAt(records: number, position: number, bytes: number): string {
    let name = '';
    for (let index = 0; index < bytes; index++) {
      const unit = (position + Math.floor(index / UNIT_BYTES)) & (this.#units - 1);
      const at = records * BYTES_PER_WORD + unit * UNIT_BYTES + (index % UNIT_BYTES);
      name += String.fromCharCode(this.#bytes[at] ?? 0);
    }
    return name;
  }

  /** Sequentially consistent, so what the record holds is seen as well. */
  #headOf(ring: number): number {
    return Atomics.load(this.#words, this.#ringAt(ring) + ACCESS_RING.HEAD);
  }

  #tailOf(ring: number): number {
    return Atomics.load(this.#words, this.#ringAt(ring) + ACCESS_RING.TAIL);
  }

  #ringAt(ring: number): number {
    return ACCESS_HEADER_WORDS + ring * ringWords(this.#units);
  }
}

function ringWords(units: number): number {
  return ACCESS_RING_WORDS + units * ACCESS_UNIT_WORDS;
}
