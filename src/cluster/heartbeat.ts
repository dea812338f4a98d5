/** Lets a worker's heart beat: the timer, the clock and the gauges of WorkerLoad. */
import { readdirSync } from 'node:fs';
import type { NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { LoadGauges } from '../application/ports/load-gauges.js';
import { BEAT_MS, WorkerLoad, type LoadLimits } from '../application/worker-load.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import { WORKER } from '../domain/shared/layout.js';
import { monotonicNow } from './monotonic-clock.js';

const PER_CONNECTION = 2;
const PER_PIPE = 2;
const BYTES_PER_MB = 2 ** 20;

export interface HeartbeatOptions {
  readonly native: NativeAddon;
  readonly region: ControlRegion;
  readonly worker: number;
  readonly limits: LoadLimits;
  /** Connections of the relay at this moment; not asked before start(). */
  readonly connections: () => number;
}

/** The load of this worker, not beating yet. */
export function workerLoad(options: HeartbeatOptions): WorkerLoad {
  const { region, worker, limits } = options;
  return new WorkerLoad({ ...limits, region, worker, gauges: gaugesOf(options), nowMicros: monotonicNow().micros });
}

/** Beats from now on, for as long as the loop turns. */
export function startHeartbeat(load: WorkerLoad): void {
  load.beat(monotonicNow().micros);
  // Nothing that keeps a worker alive which is done.
  setInterval(() => load.beat(monotonicNow().micros), BEAT_MS).unref();
}

/** Sums up what the relay has open instead of listing /proc/self/fd, which would cost a walk over all of it. */
function gaugesOf({ native, region, worker, connections }: HeartbeatOptions): LoadGauges {
  const { words } = region;
  const gauge = (word: number): number => Atomics.load(words, region.workerAt(worker) + word);
  // One of them is that of the directory being listed.
  const atRest = readdirSync('/proc/self/fd').length - 1;
  let residentMb = 0;
  return {
    residentMb: () => (residentMb = measuredResidentMb() ?? residentMb),
    descriptors: () =>
      atRest + PER_CONNECTION * connections() + PER_PIPE * gauge(WORKER.SPLICE_PIPES) + gauge(WORKER.WARM_CONNECTIONS),
    descriptorLimit: () => native.fileLimit().soft,
  };
}

/** null where the kernel does not tell, which takes a descriptor. */
function measuredResidentMb(): number | null {
  try {
    return process.memoryUsage.rss() / BYTES_PER_MB;
  } catch {
    return null;
  }
}
