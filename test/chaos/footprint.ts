/** What a proxy at rest occupies: compared before the chaos and after it. */
import { childPids, commandLine, openDescriptors, residentBytes } from '../support/process-facts.js';
import { CLIENT, CLIENT_WAYS } from '../../src/domain/shared/layout.js';
import type { SharedCounters } from '../support/shared-counters.js';

const WORKER_NAME = 'edgeproxy worker ';

export interface Footprint {
  readonly processes: number;
  readonly primaryDescriptors: number;
  /** Of the worker with the most, without pipes that are kept for the next splice (two each) and warm connections. */
  readonly workerDescriptors: number;
  readonly primaryBytes: number;
  /** Of the largest worker. */
  readonly workerBytes: number;
}

/** Process ids of a primary's workers by index; empty for a primary that is gone. */
export function workersOf(primary: number): number[] {
  const workers = childPids(primary).map((pid) => ({ pid, name: commandLine(pid) }));
  const named = workers.filter(({ name }) => name.startsWith(WORKER_NAME));
  const indexOf = ({ name }: { readonly name: string }): number => Number(name.slice(WORKER_NAME.length));
  return named.sort((a, b) => indexOf(a) - indexOf(b)).map(({ pid }) => pid);
}

export function footprintOf(primary: number, counters: SharedCounters): Footprint {
  const workers = workersOf(primary);
  const passing = (worker: number): number =>
    2 * counters.gauge(worker, 'SPLICE_PIPES') + counters.gauge(worker, 'WARM_CONNECTIONS');
  return {
    processes: 1 + childPids(primary).length,
    primaryDescriptors: openDescriptors(primary),
    workerDescriptors: Math.max(...workers.map((pid, index) => openDescriptors(pid) - passing(index))),
    primaryBytes: residentBytes(primary),
    workerBytes: Math.max(...workers.map(residentBytes)),
  };
}

/** Everything that is counted for connections; all zero when there are none. */
export function heldBy(counters: SharedCounters): Readonly<Record<string, number>> {
  return {
    ...counters.held(counters.region.capacity.backends),
    relaysOpen: counters.gauges('RELAYS_OPEN'),
    pendingBytes: counters.gauges('PENDING_BYTES'),
    clientShares: clientShares(counters),
  };
}

/** Connections that the table of client addresses counts. */
function clientShares({ region }: SharedCounters): number {
  const { workers, clientSets } = region.capacity;
  const entryWords = CLIENT.SHARES + workers;
  let sum = 0;
  for (let entry = 0; entry < clientSets * CLIENT_WAYS; entry++) {
    const at = region.offsets.clients + entry * entryWords + CLIENT.SHARES;
    for (let worker = 0; worker < workers; worker++) sum += Math.abs(Atomics.load(region.words, at + worker));
  }
  return sum;
}
