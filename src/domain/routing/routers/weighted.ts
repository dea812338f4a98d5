/**
 * The `weighted` router: every backend in proportion to its weight, exact over all workers and evenly spread: 3, 1, 1 is
 * a b a c a. With `smooth_weighted = false` the shares are the same, and the order is random.
 */
import { OptionReader } from '../option-reader.js';
import type { RouterPlugin } from '../router.js';
import { SequenceRouter } from '../sequence-router.js';
import { WeightedDraw } from '../weighted-draw.js';

export type WeightedOptions = {
  readonly isSmooth: boolean;
};

export const weightedRouter: RouterPlugin<WeightedOptions> = {
  name: 'weighted',
  hasAffinity: false,
  keys: ['smooth_weighted'],
  parse: (config) => {
    const read = new OptionReader(config);
    return read.result({ isSmooth: read.flag('smooth_weighted', true) });
  },
  create: (context, { isSmooth }) => {
    if (isSmooth) return new SequenceRouter(context, context.pool.table.weight);
    const draw = new WeightedDraw(context.pool, context.random);
    return { choose: () => draw.draw() };
  },
};
