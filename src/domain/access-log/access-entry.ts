/** One record of the access log, with numbers for names. */
import { BACKEND_ERRORS, END_REASONS, REJECT_REASONS } from '../shared/layout.js';
import { ACCESS_FLAG, ACCESS_RECORD, NO_ACCESS_SLOT } from './access-layout.js';

/** Times are CLOCK_MONOTONIC in microseconds; of what it never came to they are 0. */
export interface AccessEntry {
  readonly isUdp: boolean;
  readonly beganUs: number;
  readonly routedUs: number;
  readonly connectedUs: number;
  readonly endedUs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly datagramsReceived: number;
  readonly datagramsSent: number;
  /** Four words, as an Int32Array holds them. */
  readonly address: readonly [number, number, number, number];
  readonly port: number;
  readonly listener: number;
  /** 0 = none. */
  readonly rule: number;
  /** -1 = none. */
  readonly slot: number;
  /** Why it ended, see accessEnd(). */
  readonly end: string;
  /** Of the last try that failed. */
  readonly backendError: string | null;
  readonly retries: number;
  /** Each character is a byte; '' = none. */
  readonly serverName: string;
}

const TWO_TO_32 = 2 ** 32;

/** Of the record at word `at`. Reasons that this build does not know are told by their number. */
export function readAccessEntry(words: Uint32Array, at: number, serverName: string): AccessEntry {
  const flags = words[at + ACCESS_RECORD.FLAGS] ?? 0;
  const slot = words[at + ACCESS_RECORD.SLOT] ?? NO_ACCESS_SLOT;
  const address = at + ACCESS_RECORD.ADDRESS;
  const backendError = BACKEND_ERRORS[words[at + ACCESS_RECORD.ERROR] ?? -1] ?? null;
  return {
    isUdp: (flags & ACCESS_FLAG.UDP) !== 0,
    beganUs: long(words, at + ACCESS_RECORD.BEGAN),
    routedUs: long(words, at + ACCESS_RECORD.ROUTED),
    connectedUs: long(words, at + ACCESS_RECORD.CONNECTED),
    endedUs: long(words, at + ACCESS_RECORD.ENDED),
    bytesReceived: long(words, at + ACCESS_RECORD.BYTES_FROM_CLIENT),
    bytesSent: long(words, at + ACCESS_RECORD.BYTES_TO_CLIENT),
    datagramsReceived: long(words, at + ACCESS_RECORD.DATAGRAMS_FROM_CLIENT),
    datagramsSent: long(words, at + ACCESS_RECORD.DATAGRAMS_TO_CLIENT),
    address: [
      (words[address] ?? 0) | 0,
      (words[address + 1] ?? 0) | 0,
      (words[address + 2] ?? 0) | 0,
      (words[address + 3] ?? 0) | 0,
    ],
    port: words[at + ACCESS_RECORD.PORT] ?? 0,
    listener: words[at + ACCESS_RECORD.LISTENER] ?? 0,
    rule: words[at + ACCESS_RECORD.RULE] ?? 0,
    slot: slot === NO_ACCESS_SLOT ? -1 : slot,
    end: accessEnd(flags, words[at + ACCESS_RECORD.REASON] ?? 0, backendError),
    backendError,
    retries: words[at + ACCESS_RECORD.RETRIES] ?? 0,
    serverName,
  };
}

/** The word in `end`: that of the metrics, but for what the access log tells more exactly. */
export function accessEnd(flags: number, reason: number, backendError: string | null): string {
  if ((flags & ACCESS_FLAG.REJECTED) !== 0) {
    const rejected = REJECT_REASONS[reason];
    if (rejected === 'connect_failed' && backendError === 'timeout') return 'connect_timeout';
    return `rejected:${rejected ?? reason}`;
  }
  const ended = END_REASONS[reason];
  if (ended !== 'finished') return ended ?? String(reason);
  return (flags & ACCESS_FLAG.CLIENT_FIRST) === 0 ? 'backend_closed' : 'client_closed';
}

/** Exact below 2^53: nine petabytes, or 285 years. */
function long(words: Uint32Array, at: number): number {
  return (words[at] ?? 0) + (words[at + 1] ?? 0) * TWO_TO_32;
}
