/** Every router plug-in: one line each. */
export { geoRouter } from './geo.js';
export { hashRouter } from './hash.js';
export { latencyRouter } from './latency.js';
export { leastConnectionsRouter } from './least-connections.js';
export { randomRouter } from './random.js';
export { roundRobinRouter } from './round-robin.js';
export { weightedRouter } from './weighted.js';
