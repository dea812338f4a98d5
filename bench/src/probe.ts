/** Whether bytes come back through a proxy: an open listener alone does not say that anybody serves it. */
import { connect } from 'node:net';
import type { BackendKind } from './model.js';

const TIMEOUT_MS = 10_000;

/** What makes each backend answer; a sink answers the end of the stream. */
const QUESTIONS: Readonly<Record<BackendKind, string>> = {
  echo: 'x',
  source: '',
  sink: 'x',
  banner: '',
  wwr: 'x'.repeat(48),
  http: 'GET / HTTP/1.1\r\nHost: probe\r\n\r\n',
};

/** Resolves with true at the first byte, with false where the connection is refused, ends or stays silent. */
export function answers(port: number, kind: BackendKind): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const settle = (isAnswered: boolean): void => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.setTimeout(TIMEOUT_MS, () => settle(false));
    socket.once('data', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    if (kind === 'sink') socket.end(QUESTIONS[kind]);
    else if (QUESTIONS[kind] !== '') socket.write(QUESTIONS[kind]);
  });
}
