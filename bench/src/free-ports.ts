/** Ports for the proxies' listeners, outside the range that outgoing connections use during a run. */
import { createServer } from 'node:net';

const FIRST = 2_000;
const LAST = 9_999;

let next = FIRST + (process.pid % 4_000);

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}

export async function freePort(): Promise<number> {
  for (let tried = FIRST; tried <= LAST; tried += 1) {
    next = next >= LAST ? FIRST : next + 1;
    if (await canListen(next)) return next;
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`);
}
