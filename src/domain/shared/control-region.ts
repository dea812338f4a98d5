/**
 * A checked view of the control region: nobody touches a word of it before magic, version, layout hash and size were
 * found right, and nobody else computes where a line begins.
 */
import { EdgeproxyError } from '../edgeproxy-error.js';
import {
  BACKEND_LINES,
  HEADER,
  HEADER_LINES,
  HISTOGRAM_LINES,
  LAYOUT_HASH,
  LAYOUT_VERSION,
  MAGIC,
  MAX_BACKENDS,
  MAX_WORKERS,
  POOL_LINES,
  WORDS_PER_LINE,
  WORKER_LINES,
  WORKER_ROW_LINES,
} from './layout.js';
import { type RegionCapacity, type RegionOffsets, regionOffsets } from './region-offsets.js';

/** Four words of randomness. */
export type Seeds = readonly [number, number, number, number];

/** Sets are selected with a mask, and the hash that selects them has 32 bits. */
const MAX_SETS = 2 ** 24;

/** Bytes that a region of this capacity takes. */
export function regionBytes(capacity: RegionCapacity): number {
  return regionOffsets(capacity).totalWords * 4;
}

/** The sets of `ways` for at least so many entries, a power of two as a region's capacity wants it. */
export function setsFor(entries: number, ways: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, entries / ways)));
}

/** Makes a zeroed buffer a control region. Called once, by the primary, before any worker maps it. */
export function initialiseRegion(buffer: SharedArrayBuffer, capacity: RegionCapacity, seeds: Seeds): ControlRegion {
  const reason = capacityFault(capacity);
  if (reason !== '') throw regionError(reason);
  const { totalWords } = regionOffsets(capacity);
  if (buffer.byteLength < totalWords * 4)
    throw regionError(`${buffer.byteLength} bytes are less than ${totalWords * 4}`);
  const words = new Int32Array(buffer);
  words[HEADER.VERSION] = LAYOUT_VERSION;
  words[HEADER.HASH] = LAYOUT_HASH;
  words[HEADER.TOTAL_WORDS] = totalWords;
  words[HEADER.WORKERS] = capacity.workers;
  words[HEADER.BACKENDS] = capacity.backends;
  words[HEADER.BINDING_SETS] = capacity.bindingSets;
  words[HEADER.RATE_SETS] = capacity.rateSets;
  words[HEADER.CLIENT_SETS] = capacity.clientSets;
  words.set(seeds, HEADER.SEEDS);
  // Last, and after everything above for whoever sees it: a region without the magic is one not yet initialised.
  Atomics.store(words, HEADER.MAGIC, MAGIC);
  return new ControlRegion(buffer);
}

export class ControlRegion {
  readonly words: Int32Array;
  readonly capacity: RegionCapacity;
  readonly offsets: RegionOffsets;

  /** Throws EP_REGION_INVALID where the buffer is not a control region of this build. */
  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
    const header = (word: number): number => this.words[word] ?? 0;
    if (this.words.length < HEADER_LINES * WORDS_PER_LINE) throw regionError('it is smaller than its header');
    if (Atomics.load(this.words, HEADER.MAGIC) !== MAGIC) throw regionError('the magic number is missing');
    if (header(HEADER.VERSION) !== LAYOUT_VERSION) throw regionError(`its version is ${header(HEADER.VERSION)}`);
    if (header(HEADER.HASH) !== LAYOUT_HASH) throw regionError('it has the layout of another build');
    this.capacity = {
      workers: header(HEADER.WORKERS),
      backends: header(HEADER.BACKENDS),
      bindingSets: header(HEADER.BINDING_SETS),
      rateSets: header(HEADER.RATE_SETS),
      clientSets: header(HEADER.CLIENT_SETS),
    };
    const reason = capacityFault(this.capacity);
    if (reason !== '') throw regionError(reason);
    this.offsets = regionOffsets(this.capacity);
    const { totalWords } = this.offsets;
    if (header(HEADER.TOTAL_WORDS) !== totalWords || this.words.length < totalWords) {
      throw regionError(`its size is ${this.words.length} words instead of ${totalWords}`);
    }
  }

  /** Key of the binding table's hash. */
  seeds(): Seeds {
    const seed = (index: number): number => this.words[HEADER.SEEDS + index] ?? 0;
    return [seed(0), seed(1), seed(2), seed(3)];
  }

  /** First word of a rule's line. */
  poolAt(number: number): number {
    return this.offsets.pools + number * POOL_LINES * WORDS_PER_LINE;
  }

  /** First word of a worker's block. */
  workerAt(worker: number): number {
    return this.offsets.workers + worker * WORKER_LINES * WORDS_PER_LINE;
  }

  /** First word of a backend's line. */
  backendAt(slot: number): number {
    return this.offsets.backends + slot * BACKEND_LINES * WORDS_PER_LINE;
  }

  /** First word of a worker's row for a backend. */
  rowAt(worker: number, slot: number): number {
    const row = worker * this.capacity.backends + slot;
    return this.offsets.workerRows + row * WORKER_ROW_LINES * WORDS_PER_LINE;
  }

  /** First words of all blocks whose totals make a sum: the workers' and what was inherited. */
  blocks(): readonly number[] {
    const ofWorkers = Array.from({ length: this.capacity.workers }, (_, worker) => this.workerAt(worker));
    return [...ofWorkers, this.offsets.inherited];
  }

  /** First word of the row for a backend that was inherited. */
  inheritedRowAt(slot: number): number {
    return this.offsets.inheritedRows + slot * WORKER_ROW_LINES * WORDS_PER_LINE;
  }

  /** First word of a backend's histogram of connect times. */
  connectTimesAt(slot: number): number {
    return this.offsets.connectTimes + slot * HISTOGRAM_LINES * WORDS_PER_LINE;
  }
}

/** What is wrong with a capacity, '' where nothing is. */
function capacityFault({ workers, backends, bindingSets, rateSets, clientSets }: RegionCapacity): string {
  if (!isBetween(workers, 1, MAX_WORKERS)) return `${workers} workers are not between 1 and ${MAX_WORKERS}`;
  if (!isBetween(backends, 1, MAX_BACKENDS)) return `${backends} backends are not between 1 and ${MAX_BACKENDS}`;
  for (const [name, sets] of Object.entries({ binding: bindingSets, rate: rateSets, client: clientSets })) {
    if (isBetween(sets, 1, MAX_SETS) && (sets & (sets - 1)) === 0) continue;
    return `${sets} ${name} sets are not a power of two up to ${MAX_SETS}`;
  }
  return '';
}

function isBetween(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function regionError(reason: string): EdgeproxyError {
  return new EdgeproxyError('EP_REGION_INVALID', `The control region cannot be used: ${reason}.`, {
    source: 'internal',
  });
}
