/**
 * Probes over sockets of this process. Each ends with a reset (or, not yet connected, without a word), so that thousands
 * of checks leave no TIME_WAIT behind, here or at the backend.
 */
import { connect, type Socket } from 'node:net';
import type { Probe, ProbeDone, Prober, ProbeOutcome } from '../../../application/ports/prober.js';
import { unixPathOf } from '../../../domain/unix-path.js';
import { MAX_ANSWER_BYTES } from '../../../domain/health/exchange.js';

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EHOSTDOWN: 'unreachable',
  // Of Unix sockets: nothing at that path, or nothing that may be connected to; and as many wait as its queue holds.
  ENOENT: 'unreachable',
  ENOTDIR: 'unreachable',
  EACCES: 'unreachable',
  EPROTOTYPE: 'unreachable',
  EAGAIN: 'queue full',
};
/** Our lack, not the backend's failure. */
const OWN_LACK: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

export class SocketProber implements Prober {
  start(probe: Probe, done: ProbeDone): () => void {
    const conversation = new Conversation(probe, done);
    return () => conversation.giveUp();
  }
}

class Conversation {
  readonly #probe: Probe;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  #connectMs: number | null = null;
  #done: ProbeDone | null;
  #answer = '';

  constructor(probe: Probe, done: ProbeDone) {
    this.#probe = probe;
    this.#done = done;
    this.#socket = open(probe);
    // After a look at the sockets: where our loop was late, the answer may be there.
    this.#timer = setTimeout(() => setImmediate(() => this.#runOut()), probe.timeoutMs);
    this.#socket
      .on('connect', () => this.#speak())
      .on('data', (chunk: Buffer) => this.#listen(chunk))
      .on('end', () => this.#judge(true))
      // Also after the end, when nobody wants to know.
      .on('error', ({ code = 'failed' }: NodeJS.ErrnoException) => this.#onError(code));
  }

  giveUp(): void {
    if (this.#done === null) return;
    this.#done = null;
    clearTimeout(this.#timer);
    // A reset asked for while connecting would wait for the connection, and a Unix socket has none.
    if (this.#socket.connecting || unixPathOf(this.#probe.address) !== null) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #speak(): void {
    this.#connectMs = performance.now() - this.#startedMs;
    const { exchange } = this.#probe;
    if (exchange === null) return this.#finish({ isUp: true });
    if (exchange.request !== '') this.#socket.write(exchange.request, 'latin1');
  }

  #listen(chunk: Buffer): void {
    this.#answer += chunk.toString('latin1', 0, MAX_ANSWER_BYTES - this.#answer.length);
    this.#judge(false);
    if (this.#answer.length >= MAX_ANSWER_BYTES) this.#fail('the answer is too long');
  }

  #judge(hasEnded: boolean): void {
    const verdict = this.#probe.exchange?.judge(this.#answer, hasEnded) ?? null;
    if (verdict !== null) this.#finish(verdict);
  }

  #runOut(): void {
    this.#fail(this.#probe.exchange?.lackOf(this.#answer) ?? 'timeout');
  }

  #onError(code: string): void {
    if (OWN_LACK.has(code)) this.#finish({ isUp: null, reason: code });
    else this.#fail(REASONS[code] ?? code);
  }

  #fail(reason: string): void {
    this.#finish({ isUp: false, reason });
  }

  #finish(outcome: ProbeOutcome): void {
    const done = this.#done;
    this.giveUp();
    done?.(outcome, this.#connectMs);
  }
}

function open({ address, port }: Probe): Socket {
  const path = unixPathOf(address);
  if (path !== null) return connect({ path, allowHalfOpen: true });
  return connect({ host: address, port, noDelay: true, allowHalfOpen: true });
}
