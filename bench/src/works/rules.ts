/** What rules with a thousand networks cost a connection. As in all-on, the difference sought is small: more and shorter rounds. */
import type { ProxyWork } from '../model.js';
import { countedColumns, loadWork } from './load-work.js';

const ROUNDS_FACTOR = 4;
const MOST_SECONDS = 0.5;
const IN_FLIGHT = 64;

const work = loadWork({
  name: 'rules',
  title: `connect + 64 B + 64 B back + close, ${IN_FLIGHT} in flight, 1,000 networks in rules against none`,
  backend: 'echo',
  columns: countedColumns('connection'),
  load: ({ seconds }) => ({ mode: 'connect', connections: IN_FLIGHT, seconds: Math.min(seconds, MOST_SECONDS) }),
});

export const rules: ProxyWork = {
  ...work,
  rounds: (wanted) => wanted * ROUNDS_FACTOR,
  suits: (proxy) => proxy.startsWith('edgeproxy-rules-'),
};
