import type { Backend } from '../../src/domain/backend.js';
import { RouteBatch } from '../../src/application/route-batch.js';
import type { AdmissionSettings } from '../../src/domain/admission/admission.js';
import { regionTable } from '../../src/domain/regions.js';
import { BindingTable } from '../../src/domain/shared/binding-table.js';
import type { ControlRegion } from '../../src/domain/shared/control-region.js';
import { initialiseRegion, regionBytes } from '../../src/domain/shared/control-region.js';
import {
  BATCH_CAPACITY,
  NAME_BYTES,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  RESPONSE_FLAG,
  RESPONSE_WORDS,
} from '../../src/domain/shared/batch-layout.js';
import { BACKEND, WORKER, WORKER_ROW } from '../../src/domain/shared/layout.js';
import type { RegionCapacity } from '../../src/domain/shared/region-offsets.js';
import { type PublishResult, RoutesWriter } from '../../src/domain/shared/routes-writer.js';
import { SAMPLE_BACKEND } from './sample-backend.js';

export const SMALL_CAPACITY: RegionCapacity = {
  workers: 4,
  backends: 64,
  bindingSets: 64,
  rateSets: 16,
  clientSets: 16,
};

/** Everybody is let in. */
export const NO_LIMITS: AdmissionSettings = { maxConnectionsPerIp: 0, rateLimit: null };

/** A control region in the memory of this process: threads share it as processes share a memfd. */
export function newRegion(capacity: Partial<RegionCapacity> = {}): {
  region: ControlRegion;
  buffer: SharedArrayBuffer;
} {
  const whole = { ...SMALL_CAPACITY, ...capacity };
  const buffer = new SharedArrayBuffer(regionBytes(whole));
  return { region: initialiseRegion(buffer, whole, [0x1234, -77, 0x7fffffff, 42]), buffer };
}

export function backend(id: string, changes: Partial<Backend> = {}): Backend {
  return { ...SAMPLE_BACKEND, id, country: '', softLimit: 10, hardLimit: 0, weight: 1, ...changes };
}

export function activeOf(region: ControlRegion, slot: number): number {
  return Atomics.load(region.words, region.backendAt(slot) + BACKEND.ACTIVE);
}

export function shareOf(region: ControlRegion, worker: number, slot: number): number {
  return Atomics.load(region.words, region.rowAt(worker, slot) + WORKER_ROW.SHARE);
}

export function pairSequenceOf(region: ControlRegion, worker: number): number {
  return Atomics.load(region.words, region.workerAt(worker) + WORKER.PAIR_SEQUENCE);
}

/** What one request is answered with. */
export interface Answer {
  readonly slot: number;
  readonly port: number;
  readonly address: readonly number[];
}

/** The words of `10.0.0.<host>` where `host` is a number, else four given words. */
export type Client = number | readonly [number, number, number, number];

export interface RequestOptions {
  readonly listener?: number;
  readonly tried?: readonly number[];
  /** Bits of REQUEST_FLAG. */
  readonly flags?: number;
}

/** A primary's writer and one worker's route(), over one region, with a clock that stands still. */
export class RoutingRig {
  readonly region: ControlRegion;
  readonly bindings: BindingTable;
  readonly writer: RoutesWriter;
  readonly requests = new Int32Array(BATCH_CAPACITY * REQUEST_WORDS);
  readonly responses = new Int32Array(BATCH_CAPACITY * RESPONSE_WORDS);
  readonly names = new Uint8Array(BATCH_CAPACITY * NAME_BYTES);
  readonly clock = Int32Array.of(1000, 0);
  readonly batch: RouteBatch;

  constructor(region: ControlRegion = newRegion().region, worker = 0, bindingTtlSecs = 600) {
    this.region = region;
    this.bindings = new BindingTable(region);
    this.writer = new RoutesWriter(region, this.bindings);
    const { requests, responses, names, clock } = this;
    const settings = { bindingTtlSecs, admission: NO_LIMITS };
    this.batch = new RouteBatch({
      region,
      worker,
      requests,
      responses,
      names,
      clock,
      ...settings,
      seeds: [1, 2, 3, 4],
    });
  }

  publish(backends: readonly Backend[], popRegion = 'sa'): PublishResult {
    return this.writer.publish(backends, regionTable(), popRegion);
  }

  /** Asks for one client and returns the answer. */
  ask(client: Client, options: RequestOptions = {}): Answer {
    this.put(0, client, options);
    this.batch.route(1);
    return this.answer(0);
  }

  put(index: number, client: Client, { listener = 0, tried = [], flags = 0 }: RequestOptions = {}): void {
    const at = index * REQUEST_WORDS;
    const words = typeof client === 'number' ? [0, 0, 0xffff, 0x0a000000 | client] : client;
    this.requests[at + REQUEST.LISTENER] = listener;
    this.requests.set(words, at + REQUEST.ADDRESS);
    this.requests[at + REQUEST.TRIES] = tried.length;
    this.requests[at + REQUEST.FLAGS] = flags;
    this.requests.set(tried, at + REQUEST.TRIED_SLOTS);
  }

  /** Whether the answer sends its client there as a trial of a half-open breaker. */
  isTrial(index = 0): boolean {
    return ((this.responses[index * RESPONSE_WORDS + RESPONSE.FLAGS] ?? 0) & RESPONSE_FLAG.TRIAL) !== 0;
  }

  answer(index: number): Answer {
    const at = index * RESPONSE_WORDS;
    return {
      slot: this.responses[at + RESPONSE.SLOT] ?? 0,
      port: this.responses[at + RESPONSE.PORT] ?? 0,
      address: [...this.responses.subarray(at + RESPONSE.ADDRESS, at + RESPONSE.ADDRESS + 4)],
    };
  }
}
