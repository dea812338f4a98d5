/**
 * What a check says to a backend once it is connected, and how it judges the answer. Bytes are strings of which each
 * character is a byte. Nothing of an answer but a status gets into a reason, so no backend can write into the log; what
 * was expected of it does.
 */
import { formatByteText } from './byte-text.js';
import { includesStatus, type StatusRange } from './status-ranges.js';

/** Most of an answer that is looked at: without a verdict by then the check has failed. */
export const MAX_ANSWER_BYTES = 16_384;

export type Verdict = { readonly isUp: true } | { readonly isUp: false; readonly reason: string };

export interface Exchange {
  readonly request: string;
  /** The verdict on what came so far, null where more is needed. `hasEnded`: no more will come. */
  judge(answer: string, hasEnded: boolean): Verdict | null;
  /** What this answer lacks when the time is over; null where it is only late. */
  lackOf(answer: string): string | null;
}

const UP: Verdict = { isUp: true };
const NO_ANSWER = failed('closed without an answer');
const NOT_HTTP = failed('the answer is not HTTP');
const CUT_SHORT = failed('closed in the middle of the answer');
/** Bytes of what was expected that a reason shows. */
const MAX_QUOTED_BYTES = 64;

interface HttpWanted {
  readonly statuses: readonly StatusRange[];
  readonly expect: string;
}

const STATUS_LINE_BEGINS = 'HTTP/1.';
const HEAD = /^HTTP\/1\.\d ([1-5]\d\d)(?: [^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n/;
const SWITCHING_PROTOCOLS = 101;

/** GET, judged by the status, and by the bytes that the body must contain. Without those the body is not waited for. */
export function httpExchange(host: string, path: string, statuses: readonly StatusRange[], expect = ''): Exchange {
  const head = [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'User-Agent: edgeproxy', 'Accept: */*', 'Connection: close'];
  return {
    request: `${head.join('\r\n')}\r\n\r\n`,
    judge: (answer, hasEnded) => judgeHttp(answer, hasEnded, { statuses, expect }),
    lackOf: (answer) => (expect !== '' && endsHead(answer) ? unexpected(expect) : null),
  };
}

/**
 * Sends bytes and looks for others in the answer. Without bytes to look for any answer will do; without bytes to send the
 * backend is expected to speak first.
 */
export function byteExchange(send: string, expect: string): Exchange {
  return {
    request: send,
    judge(answer, hasEnded) {
      if (answer !== '' && answer.includes(expect)) return UP;
      if (!hasEnded) return null;
      return answer === '' ? NO_ANSWER : failed(unexpected(expect));
    },
    lackOf: (answer) => (answer === '' ? null : unexpected(expect)),
  };
}

function judgeHttp(answer: string, hasEnded: boolean, wanted: HttpWanted): Verdict | null {
  const beginning = answer.slice(0, STATUS_LINE_BEGINS.length);
  if (!STATUS_LINE_BEGINS.startsWith(beginning)) return NOT_HTTP;
  const head = endsHead(answer) ? HEAD.exec(answer) : null;
  if (head !== null) return judgeHead(answer.slice(head[0].length), Number(head[1]), hasEnded, wanted);
  if (endsHead(answer)) return NOT_HTTP;
  if (!hasEnded) return null;
  return answer === '' ? NO_ANSWER : CUT_SHORT;
}

/** An interim answer (RFC 9110, 15.2) is followed by the real one. */
function judgeHead(rest: string, status: number, hasEnded: boolean, wanted: HttpWanted): Verdict | null {
  if (status < 200 && status !== SWITCHING_PROTOCOLS) return judgeHttp(rest, hasEnded, wanted);
  if (!includesStatus(wanted.statuses, status)) return failed(`status ${status}`);
  if (rest.includes(wanted.expect)) return UP;
  return hasEnded ? failed(unexpected(wanted.expect)) : null;
}

function unexpected(expect: string): string {
  return `answered, but not "${formatByteText(expect, MAX_QUOTED_BYTES)}"`;
}

function endsHead(answer: string): boolean {
  return answer.includes('\r\n\r\n') || answer.includes('\n\n') || answer.includes('\n\r\n');
}

function failed(reason: string): Verdict {
  return { isUp: false, reason };
}
