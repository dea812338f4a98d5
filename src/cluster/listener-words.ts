/** Settings of the listeners as the relay reads them: LISTENER_WORDS numbers each, by id. */
import type { ListenerLimits } from '../application/listener-config.js';
import { LISTENER, LISTENER_WORDS } from '../domain/shared/batch-layout.js';
import { MAX_LISTENERS } from '../domain/shared/layout.js';

export interface ListenerSettings {
  /** As the sockets have it, below MAX_LISTENERS. */
  readonly id: number;
  readonly limits: ListenerLimits;
  /** Bits of LISTENER_FLAG. */
  readonly flags: number;
}

/** MAX_LISTENERS × LISTENER_WORDS numbers; every id that is not among `listeners` has `others` and no flag. */
export function listenerWords(listeners: readonly ListenerSettings[], others: ListenerLimits): number[] {
  const words = Array.from({ length: MAX_LISTENERS }, () => wordsOf(others, 0)).flat();
  for (const { id, limits, flags } of listeners) {
    words.splice(id * LISTENER_WORDS, LISTENER_WORDS, ...wordsOf(limits, flags));
  }
  return words;
}

function wordsOf(limits: ListenerLimits, flags: number): number[] {
  const words = new Array<number>(LISTENER_WORDS).fill(0);
  words[LISTENER.CONNECT_TIMEOUT_MS] = limits.connectTimeoutMs;
  words[LISTENER.CONNECT_TOTAL_TIMEOUT_MS] = limits.connectTotalTimeoutMs;
  words[LISTENER.IDLE_TIMEOUT_MS] = limits.idleTimeoutSecs * 1000;
  words[LISTENER.HALF_CLOSE_TIMEOUT_MS] = limits.halfCloseTimeoutSecs * 1000;
  words[LISTENER.MAX_LIFETIME_MS] = limits.maxLifetimeSecs * 1000;
  words[LISTENER.MAX_CONNECTIONS] = limits.maxConnections;
  words[LISTENER.FLAGS] = flags;
  words[LISTENER.HELLO_TIMEOUT_MS] = limits.helloTimeoutMs;
  words[LISTENER.MAX_SESSIONS_PER_CLIENT] = limits.maxSessionsPerClient;
  return words;
}
