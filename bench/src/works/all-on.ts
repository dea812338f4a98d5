/**
 * What everything switched on costs a connection, against everything switched off. The difference sought is smaller than the
 * spread of a round, so there are more and shorter rounds than elsewhere.
 */
import type { ProxyWork } from '../model.js';
import { countedColumns, loadWork } from './load-work.js';

const ROUNDS_FACTOR = 4;
const MOST_SECONDS = 0.5;
const CONNECTIONS_IN_FLIGHT = 64;

const work = loadWork({
  name: 'all-on',
  title: `connect + 64 B + 64 B back + close, ${CONNECTIONS_IN_FLIGHT} in flight, everything on against everything off`,
  backend: 'echo',
  columns: countedColumns('connection'),
  load: ({ seconds }) => ({
    mode: 'connect',
    connections: CONNECTIONS_IN_FLIGHT,
    size: 64,
    seconds: Math.min(seconds, MOST_SECONDS),
  }),
});

export const allOn: ProxyWork = {
  ...work,
  rounds: (wanted) => wanted * ROUNDS_FACTOR,
  suits: (proxy) => /^edgeproxy-.*-all-(on|off)/.test(proxy),
};
