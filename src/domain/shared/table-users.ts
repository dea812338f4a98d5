import type { ControlRegion } from './control-region.js';
import { WORKER } from './layout.js';

/** True when no worker is in a batch that it began with a routing table older than `generation`. */
export function isForgotten(region: ControlRegion, generation: number): boolean {
  for (let worker = 0; worker < region.capacity.workers; worker++) {
    // The worker stores this before it looks at GENERATION (RoutesReader.enter): where it is 0 or new here, after that
    // generation was published, the worker finds the new table before it chooses again.
    const seen = Atomics.load(region.words, region.workerAt(worker) + WORKER.BATCH_GENERATION);
    if (seen !== 0 && ((seen - generation) | 0) < 0) return false;
  }
  return true;
}
