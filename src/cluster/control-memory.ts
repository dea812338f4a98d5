import type { NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { initialiseRegion, regionBytes, setsFor, type ControlRegion } from '../domain/shared/control-region.js';
import { BINDING_WAYS, CLIENT_WAYS, RATE_WAYS } from '../domain/shared/layout.js';
import { randomSeeds } from './random-seeds.js';
import type { InheritedMemory } from './upgrade/inherited-memory.js';

/** The shared memory of this version's processes; the descriptor is its owner's to close. */
export interface ControlMemory {
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
  readonly region: ControlRegion;
}

/** Large enough for this configuration. With the seeds of an older version's, where what that remembers can be carried over. */
export function createControlMemory(
  native: NativeAddon,
  { workers, maxBackends: backends, maxBindings, maxTrackedClients }: ProxyConfig,
  inherited: InheritedMemory | null,
): ControlMemory {
  const capacity = {
    workers,
    backends,
    bindingSets: setsFor(maxBindings, BINDING_WAYS),
    rateSets: setsFor(maxTrackedClients, RATE_WAYS),
    clientSets: setsFor(maxTrackedClients, CLIENT_WAYS),
  };
  const seeds = inherited?.seedsFor(capacity.bindingSets) ?? randomSeeds();
  const { fd, buffer } = native.createRegion('edgeproxy-control', regionBytes(capacity));
  return { fd, buffer, region: initialiseRegion(buffer, capacity, seeds) };
}
