/**
 * Where workers and the acceptor leave what the access log tells: a region of its own, made when the log is first switched on.
 * native/engine/access_ring.h mirrors this file; both are part of LAYOUT_HASH.
 *
 *   ┌ header     1 line    whether the log is on, how many rings, units of each
 *   ├ ring 0     2 lines   head and drops, by who writes; tail, by who reads
 *   │            units × 128 bytes, records: one unit each, and those that the server name behind it takes
 *   └ …          one for each worker, by its index, then the acceptor's
 *
 * Positions count units and wrap at 2^32. Who writes stores `head` after the record, who reads stores `tail` after it has taken it;
 * a worker that is killed leaves what it has finished, and its successor goes on behind that. A rejection has room in the first half of
 * a ring alone: of those there can be any number, and connections that end must not be blotted out by them.
 */

const WORDS_PER_LINE = 16;

/** Words of the region. UNWRITTEN is a 64-bit total: lines that who reads had no use for, because their output is gone. */
export const ACCESS_HEADER = { IS_ENABLED: 0, RINGS: 1, UNITS: 2, UNWRITTEN: 4 } as const;
export const ACCESS_HEADER_WORDS = WORDS_PER_LINE;

/** Words of a ring. DROPPED is a 64-bit total: records that had no room. */
export const ACCESS_RING = { HEAD: 0, DROPPED: 2, TAIL: 16 } as const;
export const ACCESS_RING_WORDS = 2 * WORDS_PER_LINE;

export const ACCESS_UNIT_WORDS = 32;

/** Words of a record; the first eight are 64 bits each. Times are CLOCK_MONOTONIC in microseconds, 0 = it never came to that. */
export const ACCESS_RECORD = {
  /** The client was taken by its worker. */
  BEGAN: 0,
  /** route() has answered for the first time. */
  ROUTED: 2,
  /** A backend has taken the connection. */
  CONNECTED: 4,
  ENDED: 6,
  BYTES_FROM_CLIENT: 8,
  BYTES_TO_CLIENT: 10,
  DATAGRAMS_FROM_CLIENT: 12,
  DATAGRAMS_TO_CLIENT: 14,
  /** Of the client, as REQUEST.ADDRESS. */
  ADDRESS: 16,
  PORT: 20,
  LISTENER: 21,
  /** The rule's number, see POOL; 0 = none matched. */
  RULE: 22,
  /** Of the backend that was tried last; NO_ACCESS_SLOT = none was. */
  SLOT: 23,
  /** Bits of ACCESS_FLAG. */
  FLAGS: 24,
  /** Index into END_REASONS; with REJECTED into REJECT_REASONS. */
  REASON: 25,
  /** Index into BACKEND_ERRORS: how the last try failed that did. NO_ACCESS_ERROR = none did. */
  ERROR: 26,
  /** Backends tried beyond the first. */
  RETRIES: 27,
  /** Bytes of the server name in the units behind. */
  NAME_LENGTH: 28,
} as const;
/** CLIENT_FIRST: of the two sides the client has ended first. */
export const ACCESS_FLAG = { UDP: 1, REJECTED: 2, CLIENT_FIRST: 4 } as const;
export const NO_ACCESS_SLOT = 0xffff_ffff;
export const NO_ACCESS_ERROR = 0xff;

/** Everything above, for LAYOUT_HASH. */
export const ACCESS_LAYOUT = [
  [ACCESS_HEADER, ACCESS_HEADER_WORDS, ACCESS_RING, ACCESS_RING_WORDS, ACCESS_UNIT_WORDS],
  [ACCESS_RECORD, ACCESS_FLAG, NO_ACCESS_SLOT, NO_ACCESS_ERROR],
] as const;
