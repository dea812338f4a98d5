/**
 * What the structures of the file are made of: zod's schemas over the parsers of the settings, so that a value is written and
 * refused alike wherever it stands. An issue's message is what was expected; what was found is in the document.
 */
import { z } from 'zod';
import type { ValueParser } from '../value-parser.js';

/** What the documentation says of a key. */
export interface FieldMeta {
  readonly expected: string;
  readonly description: string;
}

/** Wrong entries of one list that are named; more would bury the message. */
const MOST_NAMED = 20;

const TABLE = 'a table';
const scalar = (expected: string) => z.union([z.string(), z.number(), z.bigint(), z.boolean()], { error: expected });
const listed = (expected: string) =>
  z.union([z.string(), z.array(z.union([z.string(), z.number(), z.bigint()]))], { error: expected });

export function field<T>(parser: ValueParser<T>, description: string) {
  const { expected } = parser;
  return scalar(expected)
    .transform((value, context) => {
      const parsed = parser.parse(String(value));
      if (parsed.isValid) return parsed.value;
      context.addIssue(wrong(expected, parsed.reason));
      return z.NEVER;
    })
    .meta({ expected, description });
}

/** One value, several with commas between them, or an array; duplicates count once. */
export function listField(parser: ValueParser<string>, most: number, description: string) {
  const expected = `${parser.expected}; one or an array of up to ${most}`;
  return listed(expected)
    .transform((value, context) => {
      const texts = Array.isArray(value) ? value.map(String) : value.split(',').map((text) => text.trim());
      if (texts.length === 0 || texts.length > most) context.addIssue(wrong(expected, `${texts.length} entries`));
      const values = new Set<string>();
      let named = 0;
      for (const [index, text] of texts.entries()) {
        const parsed = parser.parse(text);
        if (parsed.isValid) values.add(parsed.value);
        else if (named++ < MOST_NAMED) {
          const path = Array.isArray(value) ? [index] : [];
          context.addIssue({ ...wrong(parser.expected, parsed.reason), path });
        }
      }
      if (named > MOST_NAMED) context.addIssue(wrong(parser.expected, `${named - MOST_NAMED} more wrong entries`));
      return [...values];
    })
    .meta({ expected, description });
}

/** A table with these keys and no others. */
export function table<Shape extends z.ZodRawShape>(shape: Shape) {
  // Read by problemsOf(), which looks for the nearest of them.
  const known = Object.keys(shape).join(' ');
  return z.strictObject(shape, { error: ({ code }) => (code === 'unrecognized_keys' ? known : TABLE) });
}

function wrong(expected: string, reason: string | undefined) {
  return { code: 'custom' as const, message: expected, params: reason === undefined ? {} : { reason } };
}
