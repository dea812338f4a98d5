/** What backends do; each takes one connection to its end. */
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { Behaviour } from './tcp-backend.js';

/** Sends back what comes, and its end after the client's end. */
export const echo: Behaviour = async ({ socket }) => {
  await pipeline(socket, socket);
};

/** Speaks first, then echoes. */
export function banner(text: string): Behaviour {
  return async (peer) => {
    peer.socket.write(text);
    await echo(peer);
  };
}

/** Says who it is and ends: which backend a client got. */
export function nameAndEnd(name: string): Behaviour {
  return ({ socket }) => {
    socket.resume();
    socket.end(name);
  };
}

/** Takes everything, then answers with the SHA-256 of it in hex and ends. */
export const digest: Behaviour = async ({ socket }) => {
  const hash = createHash('sha256');
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) hash.update(chunk as Buffer);
  socket.end(hash.digest('hex'));
};

/** Accepts and never reads. */
export const stall: Behaviour = () => undefined;
