/**
 * The control region: every shared offset is named here, once. native/engine/shared_layout.h mirrors this file with
 * static_asserts, and both compare LAYOUT_HASH with the header before they touch anything else.
 *
 * One memfd, mapped by the primary and by every worker. All numbers are little-endian 32-bit words unless said
 * otherwise; a "line" is one 64-byte cache line (16 words). Offsets are in words from the start of the region.
 *
 *   ┌ header            2 lines   magic, version, hash, capacities, hash seeds
 *   ├ routes control    2 lines   generation, live table index, one sequence word per table
 *   ├ workers           WORKER_LINES lines × workers            written by that worker and by the acceptor
 *   ├ backends          1 line × backends                       `active`, global and exact
 *   ├ worker rows       1 line × workers × backends             each worker's share and totals of each backend
 *   ├ bindings          BINDING_WORDS × sets × BINDING_WAYS     affinity, written by every worker
 *   └ routes            2 × (1 header line + countries + 1 line × backends)   double-buffered, written by the primary
 *
 * 64-bit counters take two words, aligned to eight bytes; only C++ adds to them, JavaScript reads them as BigUint64.
 */

export const WORDS_PER_LINE = 16;

/** "EDGP" as a little-endian word. */
export const MAGIC = 0x50474445;
export const LAYOUT_VERSION = 1;

/** Header words. */
export const HEADER = {
  MAGIC: 0,
  VERSION: 1,
  HASH: 2,
  TOTAL_WORDS: 3,
  WORKERS: 4,
  BACKENDS: 5,
  BINDING_SETS: 6,
  /** Four words of randomness, so that a client cannot choose the set of the binding table it falls into. */
  SEEDS: 8,
} as const;
export const HEADER_LINES = 2;

/** Words of the routes control lines, counted from `RegionOffsets.routesControl`. */
export const ROUTES_CONTROL = {
  /** Counts published tables; a worker that sees a new value copies the live table. */
  GENERATION: 0,
  /** 0 or 1: which table is live. */
  LIVE: 1,
  /** One word per table: odd while the primary writes it. On a line of its own. */
  SEQUENCE: 16,
} as const;
export const ROUTES_CONTROL_LINES = 2;

/** Why a client was closed without being relayed; index into WORKER.REJECTED. The order is part of the layout. */
export const REJECT_REASONS = ['no_backend', 'connect_failed', 'client_gone', 'no_descriptors', 'shutdown'] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** Why a connect to a backend failed; index into WORKER_ROW.ERRORS. The order is part of the layout. */
export const BACKEND_ERRORS = ['refused', 'unreachable', 'timeout', 'reset', 'other'] as const;
export type BackendError = (typeof BACKEND_ERRORS)[number];

/** Words of one worker's block. */
export const WORKER = {
  /** Connections assigned to this worker: the acceptor (handoff) or the worker (reuseport) adds, the worker subtracts. */
  ACTIVE: 0,
  /**
   * Sequence of changes to the pair (backend `active`, worker row `SHARE`): odd while this worker is between the two,
   * so that the primary can take a consistent sum after a crash (see ARCHITECTURE.md, "Giving back").
   */
  PAIR_SEQUENCE: 16,
  /**
   * The generation of routes that this worker is choosing by while a batch is under way, 0 between batches: the primary
   * gives a removed backend's slot to another one only when no worker can still choose by a table that had the old one.
   */
  BATCH_GENERATION: 17,
  /** 64-bit totals, on lines of their own. */
  ACCEPTED: 32,
  BYTES_TO_CLIENTS: 34,
  BYTES_FROM_CLIENTS: 36,
  SPLICE_FALLBACKS: 38,
  /** Gauges. */
  SPLICE_PIPES: 40,
  PENDING_BYTES: 41,
  RELAYS_OPEN: 42,
  /** 64-bit totals by REJECT_REASONS. */
  REJECTED: 48,
  /** 64-bit totals of how relays ended: both sides finished, aborted by client, by backend, idle, half-close, lifetime, killed. */
  ENDED: 64,
} as const;
export const END_REASONS = [
  'finished',
  'client_reset',
  'backend_reset',
  'idle_timeout',
  'half_close_timeout',
  'max_lifetime',
  'shutdown',
] as const;
export type EndReason = (typeof END_REASONS)[number];
export const WORKER_LINES = 5;

/** Words of one backend's line. */
export const BACKEND = {
  /** Connections reserved or open over all workers; never above the backend's hard limit. */
  ACTIVE: 0,
} as const;
export const BACKEND_LINES = 1;

/** Words of one worker's row for one backend. */
export const WORKER_ROW = {
  /** This worker's part of BACKEND.ACTIVE. */
  SHARE: 0,
  /** Connect failures by BACKEND_ERRORS, 32-bit, wrapping. */
  ERRORS: 1,
  /** 64-bit totals. */
  CONNECTIONS: 6,
  BYTES_TO_CLIENTS: 8,
  BYTES_FROM_CLIENTS: 10,
} as const;
export const WORKER_ROW_LINES = 1;

/** Words of one binding (see domain/shared/binding-table.ts for the protocol). */
export const BINDING = { TAG: 0, VALUE: 1, EXPIRES: 2 } as const;
export const BINDING_WORDS = 4;
export const BINDING_WAYS = 8;

/** Words of a routes table's header line. */
export const ROUTES_HEADER = {
  COUNT: 0,
  /** Region number of this POP. */
  POP_REGION: 1,
} as const;
/** One byte per country (26 × 26, `(first - 'A') * 26 + second - 'A'`): its region number, 0 = none. Rounded up to whole lines. */
export const COUNTRIES = 26 * 26;
export const COUNTRY_LINES = 11;
/** First words of a table's countries and of its records, counted from the table. */
export const COUNTRIES_AT = WORDS_PER_LINE;
export const ROUTES_AT = (1 + COUNTRY_LINES) * WORDS_PER_LINE;

/** Words of one backend's record in a routes table. */
export const ROUTE = {
  /** Slot of the backend: index of its line and of its rows; stays the same across reloads. */
  SLOT: 0,
  FLAGS: 1,
  WEIGHT: 2,
  /** 0 has already become 1. */
  SOFT_LIMIT: 3,
  /** 0 = unlimited. */
  HARD_LIMIT: 4,
  /** Country number (see COUNTRIES) or -1. */
  COUNTRY: 5,
  /** Region number or 0. */
  REGION: 6,
  PORT: 7,
  /** Four words of the address in host order, most significant first; IPv4 as ::ffff:a.b.c.d. */
  ADDRESS: 8,
} as const;
export const ROUTE_LINES = 1;
/** Bits of ROUTE.FLAGS. A backend takes new clients only with HEALTHY set and DRAINING clear. */
export const ROUTE_FLAG = { HEALTHY: 1, DRAINING: 2 } as const;

/** Most that a region can be made for: slots must fit the 16 bits that a binding keeps of them. */
export const MAX_BACKENDS = 65_535;
export const MAX_WORKERS = 128;
/** A country keeps its region in one byte, and 0 means none. */
export const MAX_REGIONS = 255;

/**
 * The batch between the relay and route(): process-local Int32Arrays, not shared.
 * REQUEST words are written by C++, RESPONSE words by TypeScript.
 */
export const BATCH_CAPACITY = 256;
/** Most backends tried for one client; CONNECT_RETRIES is at most this minus one. */
export const MAX_TRIES = 8;
export const REQUEST = { LISTENER: 0, PORT: 1, ADDRESS: 2, TRIES: 6, TRIED_SLOTS: 8 } as const;
export const REQUEST_WORDS = 16;
/** SLOT is the chosen (and already reserved) slot, or -1 - index into REJECT_REASONS. */
export const RESPONSE = { SLOT: 0, PORT: 1, ADDRESS: 2 } as const;
export const RESPONSE_WORDS = 8;

export interface RegionCapacity {
  readonly workers: number;
  readonly backends: number;
  /** A power of two. */
  readonly bindingSets: number;
}

/** Word offsets of each section for a given capacity. */
export interface RegionOffsets {
  readonly routesControl: number;
  readonly workers: number;
  readonly backends: number;
  readonly workerRows: number;
  readonly bindings: number;
  /** Offsets of table 0 and table 1. */
  readonly routes: readonly [number, number];
  readonly totalWords: number;
}

export function regionOffsets({ workers, backends, bindingSets }: RegionCapacity): RegionOffsets {
  const routesControl = HEADER_LINES * WORDS_PER_LINE;
  const workersAt = routesControl + ROUTES_CONTROL_LINES * WORDS_PER_LINE;
  const backendsAt = workersAt + workers * WORKER_LINES * WORDS_PER_LINE;
  const workerRows = backendsAt + backends * BACKEND_LINES * WORDS_PER_LINE;
  const bindings = workerRows + workers * backends * WORKER_ROW_LINES * WORDS_PER_LINE;
  const routes = bindings + bindingSets * BINDING_WAYS * BINDING_WORDS;
  const tableWords = (1 + COUNTRY_LINES + backends * ROUTE_LINES) * WORDS_PER_LINE;
  return {
    routesControl,
    workers: workersAt,
    backends: backendsAt,
    workerRows,
    bindings,
    routes: [routes, routes + tableWords],
    totalWords: routes + 2 * tableWords,
  };
}

/** FNV-1a over every constant above: a worker of another build refuses the region instead of misreading it. */
export const LAYOUT_HASH = fnv1a(
  JSON.stringify([
    [HEADER, HEADER_LINES, ROUTES_CONTROL, ROUTES_CONTROL_LINES, REJECT_REASONS, BACKEND_ERRORS, END_REASONS],
    [WORKER, WORKER_LINES, BACKEND, BACKEND_LINES, WORKER_ROW, WORKER_ROW_LINES, BINDING, BINDING_WORDS, BINDING_WAYS],
    [ROUTES_HEADER, COUNTRIES, COUNTRY_LINES, ROUTE, ROUTE_LINES, ROUTE_FLAG],
    [BATCH_CAPACITY, MAX_TRIES, REQUEST, REQUEST_WORDS, RESPONSE, RESPONSE_WORDS],
  ]),
);

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
