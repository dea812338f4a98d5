import { z } from 'zod';
import { field, table } from './fields.js';
import { id } from './structure-values.js';

export type RouterTable = z.output<typeof routerSchema>;

/** [routers.NAME]; what `config` may hold is the plug-in's to say. */
export const routerSchema = table({
  plugin: field(id, 'which router it is'),
  config: z
    .record(z.string(), z.unknown(), { error: 'a table' })
    .meta({ expected: 'a table', description: 'its options' })
    .default({}),
});
