import { randomFillSync } from 'node:crypto';
import type { Seeds } from '../domain/shared/control-region.js';

/** Four words that nobody can guess. */
export function randomSeeds(): Seeds {
  const [a = 0, b = 0, c = 0, d = 0] = randomFillSync(new Int32Array(4));
  return [a, b, c, d];
}
