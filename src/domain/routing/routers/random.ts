/** The `random` router: any backend, with a probability in proportion to its weight. */
import { OptionReader } from '../option-reader.js';
import type { RouterPlugin } from '../router.js';
import { WeightedDraw } from '../weighted-draw.js';

export const randomRouter: RouterPlugin<Record<string, never>> = {
  name: 'random',
  hasAffinity: false,
  keys: [],
  parse: (config) => new OptionReader(config).result({}),
  create: ({ pool, random: dice }) => {
    const draw = new WeightedDraw(pool, dice);
    return { choose: () => draw.draw() };
  },
};
