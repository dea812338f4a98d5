/** Whether bytes come back through a proxy: an open listener alone does not say that anybody serves it. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { clientHello } from './client-hello.js';
import type { BackendKind } from './model.js';
import { VISITED_SITE } from './site-names.js';

const TIMEOUT_MS = 10_000;
/** Nobody says whether a datagram has come: it is sent again. */
const DATAGRAM_TIMEOUT_MS = 200;

/** What makes each backend answer; a sink answers the end of the stream. */
const QUESTIONS: Readonly<Record<BackendKind, string | Buffer>> = {
  echo: 'x',
  source: '',
  sink: 'x',
  banner: '',
  wwr: 'x'.repeat(48),
  http: 'GET / HTTP/1.1\r\nHost: probe\r\n\r\n',
  hello: clientHello(VISITED_SITE, 517).bytes,
  datagram: 'x',
};

/** Resolves with true at the first byte, with false where the connection is refused, ends or stays silent. */
export function answers(port: number, kind: BackendKind): Promise<boolean> {
  return kind === 'datagram' ? answersDatagram(port) : answersStream(port, kind);
}

function answersDatagram(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const settle = (isAnswered: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(isAnswered);
    };
    const timer = setTimeout(() => settle(false), DATAGRAM_TIMEOUT_MS);
    socket.once('message', () => settle(true));
    socket.once('error', () => settle(false));
    socket.connect(port, '127.0.0.1', () => socket.send(QUESTIONS.datagram));
  });
}

function answersStream(port: number, kind: BackendKind): Promise<boolean> {
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
