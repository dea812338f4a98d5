/**
 * The demo's backends: a process with one small HTTP server for each name given as an argument. It tells its ports, in
 * that order, and ends with the process that started it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const HOST = '127.0.0.1';

// The terminal sends its signals to the whole group; these servers stay until the proxy has drained.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());
process.title = 'edgeproxy demo backends';

const ports = await Promise.all(process.argv.slice(2).map(startServer));
process.send?.(ports);

function startServer(region: string): Promise<number> {
  let requests = 0;
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ backend: `demo-${region}`, region, requests: ++requests })}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, () => resolve((server.address() as AddressInfo).port));
  });
}
