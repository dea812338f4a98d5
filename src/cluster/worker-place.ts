import { BackOff } from '../domain/back-off.js';
import type { WorkerProcess } from './worker-process.js';

/** Where one worker after another lives: what an index of the shared counters stands for. */
export interface WorkerPlace {
  readonly index: number;
  readonly backOff: BackOff;
  process: WorkerProcess | null;
  /** The process has mapped everything and waits for clients. */
  isReady: boolean;
  /** It has been sent all regions, and gets those that change. */
  isInformed: boolean;
  isAdmitted: boolean;
  /** Reuseport: the acceptor accepts from this worker's listening sockets for the time being. */
  isAdopted: boolean;
  /** It lives and does not read: it gets no clients for the time being. */
  isSuspended: boolean;
  /** Before its first life counts as a success or not. */
  hasDied: boolean;
  /** Successors so far. */
  restarts: number;
  /** The back-off of its successor. */
  timer: NodeJS.Timeout | null;
}

export function emptyPlaces(workers: number): readonly WorkerPlace[] {
  return Array.from({ length: workers }, (_, index) => ({
    index,
    backOff: new BackOff(),
    process: null,
    isReady: false,
    isInformed: false,
    isAdmitted: false,
    isAdopted: false,
    isSuspended: false,
    hasDied: false,
    restarts: 0,
    timer: null,
  }));
}
