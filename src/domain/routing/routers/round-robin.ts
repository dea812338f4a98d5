/**
 * The `round_robin` router: every backend in turn, whatever its weight, exact over all workers. One that starts slowly has a
 * part of its turns.
 */
import { OptionReader } from '../option-reader.js';
import type { RouterPlugin } from '../router.js';
import { SequenceRouter } from '../sequence-router.js';

export const roundRobinRouter: RouterPlugin<Record<string, never>> = {
  name: 'round_robin',
  hasAffinity: false,
  keys: [],
  parse: (config) => new OptionReader(config).result({}),
  create: (context) => new SequenceRouter(context, context.pool.table.part),
};
