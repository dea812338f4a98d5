import { z } from 'zod';
import { MAX_PORT } from '../../../../domain/backend-row.js';
import { filePath, oneOf, wholeNumber } from '../value-parser.js';
import { field, listField, table } from './fields.js';
import { alpnProtocol, cidr, serverName } from './structure-values.js';

export type MatcherTable = z.output<typeof matcherSchema>;

/** Of one rule and of all rules together. */
export const MOST_CIDRS = 100_000;
const MOST_SERVER_NAMES = 10_000;
const MOST_PROTOCOLS = 64;

const port = wholeNumber(1, MAX_PORT);
const cidrs = {
  cidr: listField(cidr, MOST_CIDRS, 'the networks').optional(),
  cidrs: listField(cidr, MOST_CIDRS, 'the same').optional(),
};

/** [rules.matcher], by its `type`. */
export const MATCHER_SCHEMAS = {
  port: table({ type: z.literal('port'), port: field(port, 'of the listener that the client came to') }),
  port_range: table({
    type: z.literal('port_range'),
    start: field(port, 'first port'),
    end: field(port, 'last port, not below the first'),
  }),
  sni: table({
    type: z.literal('sni'),
    pattern: listField(serverName, MOST_SERVER_NAMES, 'server names that TLS clients ask for').optional(),
    patterns: listField(serverName, MOST_SERVER_NAMES, 'the same').optional(),
    names: listField(serverName, MOST_SERVER_NAMES, 'the same').optional(),
    alpn: listField(
      alpnProtocol,
      MOST_PROTOCOLS,
      'one of these must be among the protocols that the client offers; without names it alone decides',
    ).optional(),
  }),
  source_ip: table({ type: z.literal('source_ip'), ...cidrs }),
  destination_ip: table({ type: z.literal('destination_ip'), ...cidrs }),
  custom: table({
    type: z.literal('custom'),
    file: field(filePath, 'JavaScript module whose default export decides').optional(),
    plugin: field(filePath, 'the same').optional(),
    config: z.unknown().meta({ expected: 'any value', description: 'handed to it' }).optional(),
  }),
};

const types = oneOf(['port', 'port_range', 'sni', 'source_ip', 'destination_ip', 'custom']);

export const matcherSchema = z.discriminatedUnion(
  'type',
  [
    MATCHER_SCHEMAS.port,
    MATCHER_SCHEMAS.port_range,
    MATCHER_SCHEMAS.sni,
    MATCHER_SCHEMAS.source_ip,
    MATCHER_SCHEMAS.destination_ip,
    MATCHER_SCHEMAS.custom,
  ],
  { error: ({ input }) => (typeof input === 'object' && !Array.isArray(input) ? types.expected : 'a table') },
);
