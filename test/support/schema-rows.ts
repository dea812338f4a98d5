/** What the schemas of the configuration file's structures say of their keys, as rows of a table. */
import { z } from 'zod';
import type { FieldMeta } from '../../src/adapters/inbound/config/structures/fields.js';
import { listenerSchema } from '../../src/adapters/inbound/config/structures/listener-schema.js';
import { MATCHER_SCHEMAS } from '../../src/adapters/inbound/config/structures/matcher-schema.js';
import { routerSchema } from '../../src/adapters/inbound/config/structures/router-schema.js';
import { backendSchema, ruleSchema } from '../../src/adapters/inbound/config/structures/rule-schema.js';

/** By the header of their table in docs/configuration.md: its first column names what they are keys of. */
export const SCHEMA_TABLES: Readonly<Record<string, readonly string[][]>> = {
  'key of a listener': rowsOf(listenerSchema),
  'key of a router': rowsOf(routerSchema),
  'key of a rule': rowsOf(ruleSchema),
  'key of a backend': rowsOf(backendSchema),
  'type and key of a matcher': Object.entries(MATCHER_SCHEMAS).flatMap(([type, schema]) =>
    rowsOf(schema).map(([key = '', ...cells]) => [`${type}: ${key}`, ...cells]),
  ),
};

/** Key, default, values, meaning. */
function rowsOf(schema: z.ZodObject): string[][] {
  return Object.entries<z.core.$ZodType>(schema.shape)
    .filter(([key]) => key !== 'type')
    .map(([key, field]) => {
      const { expected, description } = metaOf(field);
      return [`\`${key}\``, fallbackOf(field), expected, description];
    });
}

function metaOf(field: z.core.$ZodType): FieldMeta {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault) {
    return metaOf(field.unwrap());
  }
  const meta = z.globalRegistry.get(field) as FieldMeta | undefined;
  if (meta === undefined) throw new Error('a key of a schema says nothing about itself');
  return meta;
}

function fallbackOf(field: z.core.$ZodType): string {
  if (field instanceof z.ZodOptional || field instanceof z.ZodUnknown) return '';
  if (!(field instanceof z.ZodDefault)) return 'needed';
  const value: unknown = field.def.defaultValue;
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
