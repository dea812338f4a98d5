import { z } from 'zod';
import { MAX_COUNT } from '../../../../domain/backend-row.js';
import { DEFAULT_ROUTER } from '../../../../domain/routing/router-plugins.js';
import { country } from '../access-list.js';
import { lowerCase, onOff, oneOf, wholeNumber } from '../value-parser.js';
import { field, table } from './fields.js';
import { matcherSchema } from './matcher-schema.js';
import { backendAddress, id, name, text } from './structure-values.js';

export type RuleTable = z.output<typeof ruleSchema>;
export type BackendTable = z.output<typeof backendSchema>;

export const MOST_RULES = 1000;
export const MOST_BACKENDS_PER_RULE = 1000;
const MOST_METADATA = 64;

const count = wholeNumber(0, MAX_COUNT);

/** [[rules.backends]] */
export const backendSchema = table({
  id: field(id, 'unique in the rule'),
  address: field(backendAddress, 'where it is'),
  weight: field(count, 'share of the load; 0 = no new clients').default(1),
  enabled: field(onOff, 'off = no new clients').default(true),
  health_check: field(
    onOff,
    'off = not checked, always well; checks connect over TCP, so unless given off in rules with protocol = "udp"',
  ).optional(),
  region: field(lowerCase(text), 'its region, for the geo router; taken in lower case').default(''),
  country: field(country, 'its country, for the geo router').default(''),
  soft_limit: field(count, 'connections it is comfortable with, for the geo router').default(100),
  hard_limit: field(count, 'most connections; 0 = unlimited').default(0),
  name: field(text, 'for people').optional(),
  metadata: z
    .record(z.string(), z.string({ error: text.expected }), { error: 'a table of strings' })
    .refine((entries) => Object.keys(entries).length <= MOST_METADATA, { error: `at most ${MOST_METADATA} keys` })
    .meta({ expected: 'a table of strings', description: 'for people' })
    .optional(),
});

/** [[rules]] */
export const ruleSchema = table({
  name: field(name, 'unique name'),
  protocol: field(oneOf(['tcp', 'udp', 'both']), 'clients of which listeners').default('both'),
  enabled: field(onOff, 'off = as if it were not there').default(true),
  router: field(id, 'a [routers.NAME], or a plug-in with its defaults').default(DEFAULT_ROUTER),
  matcher: matcherSchema
    .meta({ expected: 'a table [rules.matcher]', description: 'which clients; all unless given' })
    .optional(),
  app: field(text, 'backends of this app of the routing database, instead of `backends`').optional(),
  backends: z
    .array(backendSchema, { error: 'tables [[rules.backends]]' })
    .min(1, { error: 'at least one backend' })
    .max(MOST_BACKENDS_PER_RULE, { error: `at most ${MOST_BACKENDS_PER_RULE} backends` })
    .meta({ expected: 'tables [[rules.backends]]', description: 'backends of its own, instead of `app`' })
    .optional(),
});
