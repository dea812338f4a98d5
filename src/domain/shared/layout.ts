/**
 * The control region: every shared offset is named here, once. native/engine/shared_layout.h mirrors this file with
 * static_asserts, and both compare LAYOUT_HASH with the header before they touch anything else.
 *
 * One memfd, mapped by the primary and by every worker. All numbers are little-endian 32-bit words unless said
 * otherwise; a "line" is one 64-byte cache line (16 words). Offsets are in words from the start of the region.
 *
 *   ┌ header            2 lines   magic, version, hash, capacities, hash seeds
 *   ├ routes control    2 lines   generation, live table index, one sequence word per table
 *   ├ health control    2 lines   generation of backend states, how many are ejected, the breaker's settings
 *   ├ acceptor          1 line    whom the acceptor has refused itself
 *   ├ primary           1 line    what happens in the primary and is counted
 *   ├ pools             1 line × MAX_POOLS                      where each rule's router stands, written by every worker
 *   ├ paths             PATH_LINES × MAX_PATHS                  addresses of Unix-socket backends, written by the primary
 *   ├ workers           WORKER_LINES lines × workers            written by that worker and by the acceptor
 *   ├ backends          1 line × backends                       `active`, global and exact; health, breaker, slow start
 *   ├ worker rows       1 line × workers × backends             each worker's share and totals of each backend
 *   ├ connect times     HISTOGRAM_LINES × backends              how long connecting took, all workers add to it
 *   ├ bindings          BINDING_WORDS × sets × BINDING_WAYS     affinity, written by every worker
 *   ├ rates             RATE_WORDS × sets × RATE_WAYS           rate limiting, one bucket per client
 *   ├ clients           (1 + workers) words × sets × CLIENT_WAYS  connections of each client address by worker
 *   ├ routes            2 × (1 header line + countries + 1 line × backends)   double-buffered, written by the primary
 *   └ inherited         WORKER_LINES lines + 1 line × backends  as a worker's block and rows: totals of older versions,
 *                                                             written by the primary (see inherited-totals.ts)
 *
 * 64-bit counters take two words, aligned to eight bytes. Only C++ adds to those of workers, only the primary to its own.
 */

import { ACCESS_LAYOUT } from '../access-log/access-layout.js';
import { BATCH_LAYOUT } from './batch-layout.js';

export const WORDS_PER_LINE = 16;
/** Of a counter of 64 bits, the lower half first. */
export const WORDS_PER_TOTAL = 2;

/** "EDGP" as a little-endian word. */
export const MAGIC = 0x50474445;
export const LAYOUT_VERSION = 4;

/** Header words. */
export const HEADER = {
  MAGIC: 0,
  VERSION: 1,
  HASH: 2,
  TOTAL_WORDS: 3,
  WORKERS: 4,
  BACKENDS: 5,
  BINDING_SETS: 6,
  CLIENT_SETS: 7,
  /** Four words of randomness, so that a client cannot choose the set of the binding table it falls into. */
  SEEDS: 8,
  RATE_SETS: 12,
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

/** Words of the health control lines, counted from `RegionOffsets.healthControl`. */
export const HEALTH_CONTROL = {
  /** Counts changes of BACKEND.HEALTH, BREAKER and RAMP; a worker that sees a new value looks at all of them. */
  GENERATION: 0,
  /** Backends whose breaker is not closed; raised by whoever opens one, kept right by the primary. */
  EJECTED: 1,
  /** On a line of their own, written by the primary alone: most backends that the breaker may eject at a time. */
  MAX_EJECTED: 16,
  /** Failures in a row that open the breaker; 0 = there is no breaker. */
  FAILURE_THRESHOLD: 17,
  /** Trials that must succeed to close it again. */
  SUCCESS_THRESHOLD: 18,
  /** Trials that a half-open breaker lets through at a time. */
  TRIALS: 19,
  /** Below this share of available backends (percent) health and breaker are ignored; 0 = never. */
  PANIC_PERCENT: 20,
  /** What BACKEND.RAMP becomes before a backend is available again; 0 = there is no slow start. */
  INITIAL_RAMP: 21,
} as const;
export const HEALTH_CONTROL_LINES = 2;

/**
 * Words of the acceptor's line, written by the acceptor alone. Totals over all clients are the sum of these and of the
 * workers' own: no worker has ever seen whom the acceptor refuses.
 */
export const ACCEPTOR = {
  /** 64-bit total of those that were over their rate; they count as accepted and as rejected. */
  RATE_LIMITED: 0,
} as const;
export const ACCEPTOR_LINES = 1;

/** Words of the primary's line: 64-bit totals. */
export const PRIMARY = {
  WORKER_RESTARTS: 0,
  /** Looks at the routing database, by ROUTING_READS. */
  ROUTING_READS: 2,
  /** Lines of the access log that were lost. */
  ACCESS_LOG_DROPS: 8,
} as const;
export const PRIMARY_LINES = 1;
export const ROUTING_READS = ['changed', 'unchanged', 'failed'] as const;
export type RoutingRead = (typeof ROUTING_READS)[number];

/**
 * Words of a histogram: a 64-bit sum of what was observed, then 64-bit counts, one for each bound and one for what is above
 * the last. A count is of its own bucket alone; what was equal to the bound is in it.
 */
export const HISTOGRAM = { SUM: 0, COUNTS: 2 } as const;
export const HISTOGRAM_LINES = 2;
/** Bounds, ascending; a histogram has room for 14. */
export const CONNECT_BOUNDS_MICROS = [
  250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
] as const;
export const DURATION_BOUNDS_MS = [
  5, 25, 100, 500, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000,
] as const;
export const BYTES_BOUNDS = [
  64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456,
  1_073_741_824, 4_294_967_296,
] as const;
export const DECISION_BOUNDS_NANOS = [
  250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 10_000_000,
] as const;

/**
 * Words of a rule, by its number. A pool is what a rule chooses from: rules and pools have their numbers from one series, the
 * primary's to give. The pool of a rule's own backends has the rule's number; that of an app has one of its own, whichever
 * rules choose from it. 0 is the routing database as a whole, which is chosen from where no rule matches.
 */
export const POOL = {
  /** Where the rule's router stands over all workers, where its promise is a sequence. */
  CURSOR: 0,
  /** Connections that the rule has got a backend for, and those that it had none for; wrap. */
  SELECTED: 1,
  FAILED: 2,
  /** Two words of a hash of the rule's name, 0 = nobody's: which rule this is for another version. Written by the primary. */
  ID: 3,
} as const;
export const POOL_LINES = 1;
/** For 1,000 rules with an app each, and as many that they have just taken the place of. */
export const MAX_POOLS = 4096;

/**
 * Words of a path, where the socket of a backend lies. The serial is 0 while the path is written and another one for each
 * path that the entry has had: whoever has copied the bytes looks at it once more (see PathRegistry).
 */
export const PATH = {
  SERIAL: 0,
  /** The path's bytes, 0-terminated, at most as many as sockaddr_un holds. */
  BYTES: 1,
} as const;
export const PATH_LINES = 2;
export const MAX_PATHS = 256;
export const MAX_PATH_BYTES = 107;
/** As a port: the address is that of a Unix socket. Its second word is the path's serial, its last one the path's number. */
export const UNIX_PORT = 0x1_0000;

/** Why a client was closed without being relayed; index into WORKER.REJECTED. The order is part of the layout. */
export const REJECT_REASONS = [
  'no_backend',
  'connect_failed',
  'client_gone',
  'no_descriptors',
  'shutdown',
  'rate_limited',
  'too_many_per_ip',
  'address_denied',
  'country_denied',
  'overload_lag',
  'overload_memory',
  'overload_descriptors',
  'too_many_sessions',
  'killed',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** Why a connect to a backend failed, or what came of it before the first byte; index into WORKER_ROW.ERRORS. The order is part of the layout. */
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
  WARM_CONNECTIONS: 43,
  /** 64-bit totals: clients that got a warm connection, and clients of a pooled backend that found none. */
  WARM_TAKEN: 44,
  WARM_MISSED: 46,
  /** 64-bit totals by REJECT_REASONS. */
  REJECTED: 48,
  /** 64-bit totals of how relays ended, by END_REASONS. */
  ENDED: 80,
  /** On a line of their own: turns of the worker's heartbeat, its loop's last lag in milliseconds, both by the worker. */
  HEARTBEAT: 112,
  LAG_MS: 113,
  /** Why the worker takes no new clients for now: bits of SHEDDING, 0 = it takes them. Written by the worker. */
  SHEDDING: 114,
  /** 1 while the worker does not beat: the acceptor gives it nothing. Written by the primary. */
  STALLED: 115,
  /** Clients whose connections could not be counted, because their set of CLIENT entries was full; wraps. */
  UNTRACKED: 116,
  /** 1 once this worker has counted a connection in a CLIENT entry: there is something to give back when it dies. */
  TRACKS_CLIENTS: 117,
  /** The version of the rules that the worker chooses by, see RULES_VERSION in domain/rules; 0 = none yet. Written by the worker. */
  RULES: 118,
  /** UDP, 64-bit totals: datagrams relayed, and those that were dropped because a socket or a session had no room. */
  DATAGRAMS_TO_CLIENTS: 120,
  DATAGRAMS_FROM_CLIENTS: 122,
  DATAGRAMS_DROPPED: 124,
  /** Gauge: UDP sessions; each counts as a connection everywhere else, too. */
  UDP_SESSIONS: 126,
  /** Connections by listener id: raised and lowered as ACTIVE is. */
  LISTENER_ACTIVE: 128,
  /**
   * Histograms: of ended connections (those of ENDED) how long they were relayed, by DURATION_BOUNDS_MS, and their bytes both
   * ways, by BYTES_BOUNDS; of decisions what route() took for each of its batch, by DECISION_BOUNDS_NANOS.
   */
  DURATIONS: 192,
  BYTES: 224,
  DECISIONS: 256,
} as const;
export const END_REASONS = [
  'finished',
  'client_reset',
  'backend_reset',
  'idle_timeout',
  'half_close_timeout',
  'max_lifetime',
  'shutdown',
  'backend_unhealthy',
  'backend_drained',
  'icmp_error',
  'killed',
] as const;
export type EndReason = (typeof END_REASONS)[number];
export const WORKER_LINES = 18;
/** Bits of WORKER.SHEDDING. */
export const SHEDDING = { LAG: 1, MEMORY: 2, DESCRIPTORS: 4 } as const;
/** Listener ids are below this; each has a word in every worker's block. */
export const MAX_LISTENERS = 64;

/** Words of one backend's line. */
export const BACKEND = {
  /** Connections reserved or open over all workers; never above the backend's hard limit. */
  ACTIVE: 0,
  /** BACKEND_HEALTH, written by the primary's health checks. */
  HEALTH: 1,
  /** BREAKER_STATE: opened and closed by workers, made half-open by the primary. */
  BREAKER: 2,
  /** Failures in a row; successes and trials started since the breaker became half-open. */
  FAILURES: 3,
  SUCCESSES: 4,
  TRIALS: 5,
  /** Slow start: per mille of its weight that the backend has for now; 0 = all of it. Written by the primary, and by who closes a breaker. */
  RAMP: 6,
  /** Counts the backends that the slot has had: an order for one of them is not for the next. Written by the primary. */
  OWNER: 7,
  /**
   * Where the routing table in force sends clients, port 0 = to nobody; the address has four words. Written by the primary
   * with each table: whoever keeps connections for clients to come looks here, without a client that asks route().
   */
  TARGET_PORT: 8,
  TARGET_ADDRESS: 9,
  /** How long connecting takes, in microseconds, as an average that follows the latest; 0 = not measured. Written by workers. */
  CONNECT_MICROS: 13,
  /** Two words of a hash of the backend's id, 0 = nobody's: which backend this is for another version. Written by the primary. */
  ID: 14,
} as const;
/** A backend that was never checked counts as up. */
export const BACKEND_HEALTH = { UP: 0, DOWN: 1 } as const;
export const BREAKER_STATE = { CLOSED: 0, OPEN: 1, HALF_OPEN: 2 } as const;
export const BACKEND_LINES = 1;

/** Words of one worker's row for one backend. */
export const WORKER_ROW = {
  /** This worker's part of BACKEND.ACTIVE. */
  SHARE: 0,
  /** Failed connects, and resets before the backend's first byte, by BACKEND_ERRORS; 32-bit, wrapping. */
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

/** Words of one rate bucket: hash bits of the client, and GCRA's theoretical arrival time. */
export const RATE = { TAG: 0, ARRIVAL: 1 } as const;
export const RATE_WORDS = 2;
export const RATE_WAYS = 8;

/** Words of one client's entry: hash bits of its address, then its connections, one word for each worker. */
export const CLIENT = { TAG: 0, SHARES: 1 } as const;
export const CLIENT_WAYS = 8;

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
  /** Four words of the address in host order, most significant first; IPv4 as ::ffff:a.b.c.d. See UNIX_PORT. */
  ADDRESS: 8,
  /** The pool that the backend belongs to beside the routing database; 0 = none. */
  POOL: 12,
  /** Two words of a hash of the backend's id, without the name of its rule: who chooses by it chooses the same after a restart, and on another host. */
  KEY: 13,
} as const;
export const ROUTE_LINES = 1;
/**
 * Bits of ROUTE.FLAGS. A backend takes new clients only with HEALTHY set and DRAINING clear. INLINE: it is no row of the routing
 * database but a rule's own, and only that rule chooses it.
 */
export const ROUTE_FLAG = { HEALTHY: 1, DRAINING: 2, INLINE: 4 } as const;

/** Most that a region can be made for: slots must fit the 16 bits that a binding keeps of them. */
export const MAX_BACKENDS = 65_535;
export const MAX_WORKERS = 128;
/** A country keeps its region in one byte, and 0 means none. */
export const MAX_REGIONS = 255;

/** FNV-1a over every constant above, those of the batch and those of the access log: a worker of another build refuses the region instead of misreading it. */
export const LAYOUT_HASH = fnv1a(
  JSON.stringify([
    [HEADER, HEADER_LINES, ROUTES_CONTROL, ROUTES_CONTROL_LINES, REJECT_REASONS, BACKEND_ERRORS, END_REASONS],
    [HEALTH_CONTROL, HEALTH_CONTROL_LINES, SHEDDING, MAX_LISTENERS, BACKEND_HEALTH, BREAKER_STATE],
    [PRIMARY, PRIMARY_LINES, ROUTING_READS, HISTOGRAM, HISTOGRAM_LINES],
    [CONNECT_BOUNDS_MICROS, DURATION_BOUNDS_MS, BYTES_BOUNDS, DECISION_BOUNDS_NANOS],
    [ACCEPTOR, ACCEPTOR_LINES, POOL, POOL_LINES, MAX_POOLS, PATH, PATH_LINES, MAX_PATHS, MAX_PATH_BYTES, UNIX_PORT],
    [RATE, RATE_WORDS, RATE_WAYS, CLIENT, CLIENT_WAYS],
    [WORKER, WORKER_LINES, BACKEND, BACKEND_LINES, WORKER_ROW, WORKER_ROW_LINES, BINDING, BINDING_WORDS, BINDING_WAYS],
    [ROUTES_HEADER, COUNTRIES, COUNTRY_LINES, ROUTE, ROUTE_LINES, ROUTE_FLAG],
    BATCH_LAYOUT,
    ACCESS_LAYOUT,
  ]),
);

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
