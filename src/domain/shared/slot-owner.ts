import type { ControlRegion } from './control-region.js';
import { BACKEND } from './layout.js';

/**
 * Which of the backends that a slot has had is its present one. An order about a backend's connections carries this number
 * from the primary to a worker, which may come to read it late: the slot may have another owner by then, and the worker
 * connections of that one.
 *
 * The number changes only while no worker holds a place at the slot or can choose it (SlotRegistry), and before the new
 * owner is published. So a worker that finds the number of the order has, for as long as it does not go back to its loop,
 * only connections of the backend that was meant; and where it finds another one, that backend has none left.
 */
export function slotOwner(region: ControlRegion, slot: number): number {
  // Sequentially consistent with the registry's add and with the publication after it: a worker that chose the slot by
  // the new owner's table finds the new number.
  return Atomics.load(region.words, region.backendAt(slot) + BACKEND.OWNER);
}
