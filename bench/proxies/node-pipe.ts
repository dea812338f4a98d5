/** What a Node developer writes first: two sockets of node:net and pipe(). */
import { fileURLToPath } from 'node:url';
import type { ProxyDefinition } from '../src/model.js';

export const nodePipe: ProxyDefinition = {
  name: 'node-pipe',
  summary: 'node:net, client.pipe(upstream).pipe(client), one process',
  isContext: true,
  missing: () => undefined,
  version: () => `Node ${process.version}`,
  prepare: ({ listenPort, backendPort }) => ({
    command: process.execPath,
    args: [fileURLToPath(new URL('./node-pipe-server.js', import.meta.url)), String(listenPort), String(backendPort)],
  }),
};
