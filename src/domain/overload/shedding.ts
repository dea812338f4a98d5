/**
 * When a worker has enough: each resource has a bound, above which new clients are turned away, and a lower one, below
 * which they are welcome again, so that a load about the bound does not open and close the door with every look at it.
 */
import { SHEDDING, type RejectReason } from '../shared/layout.js';
import { refusal } from '../shared/refusal.js';

/** Share of a bound (percent) down to which a resource that was above it still counts as used up. */
const CLEAR_PERCENT = 90;

export type Resource = keyof typeof SHEDDING;

/** What a client is told; where several resources are used up, the first of them. */
const REASONS: Readonly<Record<Resource, RejectReason>> = {
  LAG: 'overload_lag',
  MEMORY: 'overload_memory',
  DESCRIPTORS: 'overload_descriptors',
};
export const RESOURCES = Object.keys(REASONS) as readonly Resource[];

/** The bits after a look at one resource. `most` is the last value that is well; Infinity = no bound. */
export function shedding(bits: number, resource: Resource, value: number, most: number): number {
  const bit = SHEDDING[resource];
  const isShedding = (bits & bit) !== 0;
  const bound = isShedding ? (most * CLEAR_PERCENT) / 100 : most;
  return value > bound ? bits | bit : bits & ~bit;
}

export function reasonOf(resource: Resource): RejectReason {
  return REASONS[resource];
}

/** What RESPONSE.SLOT says to a client that is turned away for these bits; 0 for none. */
export function refusalOf(bits: number): number {
  const found = RESOURCES.find((resource) => (bits & SHEDDING[resource]) !== 0);
  return found === undefined ? 0 : refusal(REASONS[found]);
}

/** The bound of descriptors under a limit of the system: from `percent` of them on the rest is kept. 0 = no bound. */
export function mostDescriptors(limit: number, percent: number): number {
  return percent === 0 ? Infinity : Math.ceil((limit * percent) / 100) - 1;
}
