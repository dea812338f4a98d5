/** Plain JavaScript, so that the process measured holds nothing but this. Usage: node-pipe-server.js LISTEN_PORT BACKEND_PORT */
import { connect, createServer } from 'node:net';

const [listenPort, backendPort] = process.argv.slice(2).map(Number);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = connect({ port: backendPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
  client.pipe(upstream).pipe(client);
});
server.listen({ port: listenPort, host: '127.0.0.1', backlog: 4096 });
process.once('SIGTERM', () => process.exit(0));
