import { eventually } from './eventually.js';
import type { ProxyProcess } from './proxy-process.js';

/** Waits until no connection is left and every place in the first `slots` backends is given back. */
export async function atRest({ counters }: ProxyProcess, slots: number): Promise<void> {
  const held = (): object => counters.held(slots);
  const isZero = (): boolean => Object.values(held()).every((count) => count === 0);
  await eventually('every place is given back', isZero, { state: held });
}
