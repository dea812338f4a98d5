/** Runs in the namespace of a far-away backend: one work over some proxies, the samples as JSON on standard output. */
import { allProxies } from '../proxies/all.js';
import { stopLiveBackends } from './backend.js';
import { killLiveChildren } from './child.js';
import { Runner } from './runner.js';
import { FAR_AWAY, innerWorks, type RemoteOrder } from './works/remote.js';

process.once('exit', () => {
  killLiveChildren();
  stopLiveBackends();
});
process.once('SIGTERM', () => process.exit(143));

const order = JSON.parse(process.argv[2] ?? '') as RemoteOrder;
const runner = new Runner({
  ...order,
  works: innerWorks.filter(({ name }) => name === order.work),
  proxies: allProxies.filter(({ name }) => order.proxies.includes(name)),
  isEverywhere: true,
  backendPlace: FAR_AWAY,
  report: (line) => process.stderr.write(`${line}\n`),
});
const results = await runner.run();
process.stdout.write(JSON.stringify([...(results.get(order.work) ?? [])]));
