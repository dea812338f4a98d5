/**
 * Upgrades under load, by hand: npm run test:upgrade -- --connections 100000 --upgrades 10 --accept handoff --workers 2
 * Ends with 1 where a single connection was not answered in full.
 */
import { createServer, type AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { ConnectionLoad } from '../support/connection-load.js';
import { latestPrimary, settledWorkers, upgrade } from '../support/generations.js';
import { eventually } from '../support/eventually.js';
import { isRunning, openDescriptors, residentBytes } from '../support/process-facts.js';
import { startProxy } from '../support/proxy-process.js';
import type { Owner } from '../support/scratch-directory.js';

const LONG_MS = 3_600_000;

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '100000' },
    upgrades: { type: 'string', default: '10' },
    accept: { type: 'string', default: 'handoff' },
    workers: { type: 'string', default: '2' },
    lanes: { type: 'string', default: '64' },
  },
});
const connections = Number(values.connections);
const upgrades = Number(values.upgrades);
const workers = Number(values.workers);
const accept = values.accept === 'reuseport' ? 'reuseport' : 'handoff';

const actions: (() => void | Promise<void>)[] = [];
const owner: Owner = { after: (action) => void actions.push(action) };
try {
  process.exitCode = (await run()) ? 0 : 1;
} finally {
  for (const action of actions.reverse()) await action();
}

async function run(): Promise<boolean> {
  const proxy = await startProxy(owner, { accept, workers, backends: [{ port: await startEcho() }] });
  const load = new ConnectionLoad(owner, proxy.port, { lanes: Number(values.lanes) });
  const startedAt = performance.now();
  for (let count = 1; count <= upgrades; count++) {
    await load.answered((connections / (upgrades + 1)) * count, LONG_MS);
    const oldPid = latestPrimary(proxy);
    const newPid = await upgrade(proxy);
    const pids = [newPid, ...(await settledWorkers(newPid, workers))];
    await eventually('the old version ends', () => !isRunning(oldPid), { deadlineMs: LONG_MS });
    const descriptors = pids.map(openDescriptors).join(' + ');
    const megabytes = Math.round(residentBytes(newPid) / 2 ** 20);
    console.log(
      `upgrade ${count}: pid ${newPid}, ${descriptors} descriptors, ${megabytes} MB, ${load.report.answered} answered`,
    );
  }
  await load.answered(connections, LONG_MS);
  const { answered, failed } = await load.stop();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `${accept}: ${answered} connections answered in ${seconds} s during ${upgrades} upgrades; failed: ${JSON.stringify(failed)}`,
  );
  return Object.keys(failed).length === 0;
}

/** Not the tests' backend, which remembers every connection. */
async function startEcho(): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  owner.after(() => {
    server.close();
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, resolve));
  return (server.address() as AddressInfo).port;
}
