/** Where each section of the control region (see layout.ts) begins, for a given capacity. */
import {
  ACCEPTOR_LINES,
  BACKEND_LINES,
  BINDING_WAYS,
  BINDING_WORDS,
  CLIENT,
  CLIENT_WAYS,
  COUNTRY_LINES,
  HEADER_LINES,
  HEALTH_CONTROL_LINES,
  HISTOGRAM_LINES,
  MAX_PATHS,
  MAX_POOLS,
  PATH_LINES,
  POOL_LINES,
  PRIMARY_LINES,
  RATE_WAYS,
  RATE_WORDS,
  ROUTES_CONTROL_LINES,
  ROUTE_LINES,
  WORDS_PER_LINE,
  WORKER_LINES,
  WORKER_ROW_LINES,
} from './layout.js';

export interface RegionCapacity {
  readonly workers: number;
  readonly backends: number;
  /** Powers of two. */
  readonly bindingSets: number;
  readonly rateSets: number;
  readonly clientSets: number;
}

/** Word offsets of each section for a given capacity. */
export interface RegionOffsets {
  readonly routesControl: number;
  readonly healthControl: number;
  readonly acceptor: number;
  readonly primary: number;
  readonly pools: number;
  readonly paths: number;
  readonly workers: number;
  readonly backends: number;
  readonly workerRows: number;
  readonly connectTimes: number;
  readonly bindings: number;
  readonly rates: number;
  readonly clients: number;
  /** Offsets of table 0 and table 1. */
  readonly routes: readonly [number, number];
  readonly inherited: number;
  readonly inheritedRows: number;
  readonly totalWords: number;
}

export function regionOffsets(capacity: RegionCapacity): RegionOffsets {
  const { workers, backends, bindingSets, rateSets, clientSets } = capacity;
  const routesControl = HEADER_LINES * WORDS_PER_LINE;
  const healthControl = routesControl + ROUTES_CONTROL_LINES * WORDS_PER_LINE;
  const acceptor = healthControl + HEALTH_CONTROL_LINES * WORDS_PER_LINE;
  const primary = acceptor + ACCEPTOR_LINES * WORDS_PER_LINE;
  const pools = primary + PRIMARY_LINES * WORDS_PER_LINE;
  const paths = pools + MAX_POOLS * POOL_LINES * WORDS_PER_LINE;
  const workersAt = paths + MAX_PATHS * PATH_LINES * WORDS_PER_LINE;
  const backendsAt = workersAt + workers * WORKER_LINES * WORDS_PER_LINE;
  const workerRows = backendsAt + backends * BACKEND_LINES * WORDS_PER_LINE;
  const connectTimes = workerRows + workers * backends * WORKER_ROW_LINES * WORDS_PER_LINE;
  const bindings = connectTimes + backends * HISTOGRAM_LINES * WORDS_PER_LINE;
  const rates = bindings + bindingSets * BINDING_WAYS * BINDING_WORDS;
  const clients = rates + rateSets * RATE_WAYS * RATE_WORDS;
  const routes = clients + wholeLines(clientSets * CLIENT_WAYS * (CLIENT.SHARES + workers));
  const tableWords = (1 + COUNTRY_LINES + backends * ROUTE_LINES) * WORDS_PER_LINE;
  const inherited = routes + 2 * tableWords;
  const inheritedRows = inherited + WORKER_LINES * WORDS_PER_LINE;
  return {
    routesControl,
    healthControl,
    acceptor,
    primary,
    pools,
    paths,
    workers: workersAt,
    backends: backendsAt,
    workerRows,
    connectTimes,
    bindings,
    rates,
    clients,
    routes: [routes, routes + tableWords],
    inherited,
    inheritedRows,
    totalWords: inheritedRows + backends * WORKER_ROW_LINES * WORDS_PER_LINE,
  };
}

function wholeLines(words: number): number {
  return Math.ceil(words / WORDS_PER_LINE) * WORDS_PER_LINE;
}
