/**
 * What passes between the relay and TypeScript inside one worker: the batch of requests and answers, and the settings of each
 * listener. Process-local arrays, no part of the region, but of LAYOUT_HASH (layout.ts): both sides must agree on them as well.
 */

/** Most clients in one batch. REQUEST and CLOCK words are written by C++, RESPONSE words by TypeScript. */
export const BATCH_CAPACITY = 256;
/** Most backends tried for one client; CONNECT_RETRIES is at most this minus one. */
export const MAX_TRIES = 8;
export const REQUEST = {
  LISTENER: 0,
  /** The client's. */
  PORT: 1,
  ADDRESS: 2,
  TRIES: 6,
  /** Bits of REQUEST_FLAG. */
  FLAGS: 7,
  TRIED_SLOTS: 8,
  /** Where the client has connected to, of listeners that ask for it (LISTENER_FLAG.DESTINATION); else 0. */
  DESTINATION: 16,
  /** Lengths of the name and of the protocols that its ClientHello asks for; see NAME_BYTES. */
  NAME_LENGTH: 20,
  ALPN_LENGTH: 21,
  /** Hash of the TLS session id, 0 = none. */
  SESSION: 22,
} as const;
/**
 * Of listeners that look for a ClientHello (LISTENER_FLAG.HELLO). TLS: this client has sent one. Where it has not come at once,
 * route() is asked twice. ADMIT: is the client let in? Nothing is chosen for it yet, the answer is a refusal or ADMITTED_SLOT.
 * ADMITTED: it was.
 *
 * Of UDP. ANEW: the slots that were tried are of the client's last session, which failed there; it is to be admitted like any other
 * and may come back if nowhere else.
 */
export const REQUEST_FLAG = { TLS: 1, ADMIT: 2, ADMITTED: 4, ANEW: 8 } as const;
export const REQUEST_WORDS = 32;
/**
 * Beside each request so many bytes of `names`: the name in lower case, then from ALPN_AT the protocols as they stand in the
 * ClientHello, each behind a byte with its length.
 */
export const NAME_BYTES = 512;
export const ALPN_AT = 256;
export const RESPONSE = {
  /** The chosen (and already reserved) slot, or -1 - index into REJECT_REASONS; of a request with ADMIT also ADMITTED_SLOT. */
  SLOT: 0,
  PORT: 1,
  ADDRESS: 2,
  /**
   * The word of the region that counts this connection for its client address (see CLIENT), to be lowered when the
   * connection ends; 0 = none. Of the first answer only: a retry keeps what the connection has.
   */
  CLIENT: 6,
  /** Bits of RESPONSE_FLAG, then twice the rule that the client is for. */
  FLAGS: 7,
} as const;
export const ADMITTED_SLOT = -0x80000000;
export const RESPONSE_FLAG = { TRIAL: 1 } as const;
/** Above it in RESPONSE.FLAGS stands the label of the rule that has chosen, see RuleLabels; 0 = none has. */
export const RESPONSE_RULE_SHIFT = 16;
/** And below that its number, see POOL, which the primary knows it by. */
export const RESPONSE_NUMBER_SHIFT = 4;
export const RESPONSE_WORDS = 8;
/** CLOCK_MONOTONIC at the beginning of the batch: whole seconds, and microseconds of which 32 bits are kept. */
export const CLOCK = { SECS: 0, MICROS: 1 } as const;
export const CLOCK_WORDS = 2;

/**
 * Settings of one listener, by its id, in an array of MAX_LISTENERS × LISTENER_WORDS doubles that the relay is configured with.
 * Milliseconds, 0 = off.
 */
export const LISTENER = {
  CONNECT_TIMEOUT_MS: 0,
  CONNECT_TOTAL_TIMEOUT_MS: 1,
  IDLE_TIMEOUT_MS: 2,
  HALF_CLOSE_TIMEOUT_MS: 3,
  MAX_LIFETIME_MS: 4,
  /** Over all workers. */
  MAX_CONNECTIONS: 5,
  /** Bits of LISTENER_FLAG. */
  FLAGS: 6,
  /** How long a ClientHello may take to arrive. */
  HELLO_TIMEOUT_MS: 7,
  /** UDP: most sessions of one client address, of each worker. */
  MAX_SESSIONS_PER_CLIENT: 8,
} as const;
export const LISTENER_WORDS = 9;
export const LISTENER_FLAG = { DESTINATION: 1, HELLO: 2 } as const;

/**
 * Numbers of a connection in a list of those that there are (NativeRelay.listConnections). Bytes and milliseconds; a slot of -1 is
 * none, as is an address with port 0.
 */
export const RECORD = {
  IS_UDP: 0,
  INDEX: 1,
  /** Of this index: which of its owners. */
  GENERATION: 2,
  /** Index into CONNECTION_STATES. */
  STATE: 3,
  LISTENER: 4,
  SLOT: 5,
  CLIENT_PORT: 6,
  CLIENT_ADDRESS: 7,
  /** What it is connected to, or being connected. */
  BACKEND_PORT: 11,
  BACKEND_ADDRESS: 12,
  AGE_MS: 16,
  IDLE_MS: 17,
  BYTES_FROM_CLIENT: 18,
  BYTES_TO_CLIENT: 19,
  /** Label of the rule, see RuleLabels. */
  RULE: 20,
  /** Of the name that its ClientHello asks for, in RECORD_NAME_BYTES of its own. */
  NAME_LENGTH: 21,
} as const;
export const RECORD_NUMBERS = 22;
export const RECORD_NAME_BYTES = 256;
export const MOST_LISTED = 256;
/** `client_finished`: it has sent all it will, as has the backend in `backend_finished`. */
export const CONNECTION_STATES = [
  'routing',
  'awaiting_hello',
  'connecting',
  'relaying',
  'client_finished',
  'backend_finished',
] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];
/** Numbers of whom a list is to have, -1 = any; of clients the network, whose prefix of 0 bits has all. */
export const FILTER = { SLOT: 0, LISTENER: 1, PREFIX_BITS: 2, NETWORK: 3 } as const;
export const FILTER_NUMBERS = 7;

/** Everything above, for LAYOUT_HASH. */
export const BATCH_LAYOUT = [
  [BATCH_CAPACITY, MAX_TRIES, CLOCK, CLOCK_WORDS],
  [REQUEST, REQUEST_FLAG, REQUEST_WORDS, NAME_BYTES, ALPN_AT],
  [RESPONSE, RESPONSE_FLAG, RESPONSE_RULE_SHIFT, RESPONSE_NUMBER_SHIFT, ADMITTED_SLOT, RESPONSE_WORDS],
  [RECORD, RECORD_NUMBERS, RECORD_NAME_BYTES, MOST_LISTED, CONNECTION_STATES, FILTER, FILTER_NUMBERS],
  [LISTENER, LISTENER_WORDS, LISTENER_FLAG],
] as const;
