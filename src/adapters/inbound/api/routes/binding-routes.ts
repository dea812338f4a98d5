import { z } from 'zod';
import type { BindingFilter, BindingPage, Bindings } from '../../../../application/ports/bindings.js';
import { parseIpAddress } from '../../../../domain/ip-address.js';
import { endpoint, invalid, ok, type Endpoint } from '../endpoint.js';
import { count } from '../schemas/counts.js';
import { wholeNumber } from '../schemas/whole-number.js';

const MOST_LISTED = 1000;

const filterFields = {
  backend: z.string().optional().describe('Those to that backend only, by its id.'),
  client: z.string().optional().describe('Those of a client only, by its address; of IPv6 those of its /64.'),
};

const bindingSchema = z.object({
  key: z.string().describe('The client and its listener, hashed: addresses are not kept.'),
  backend: z.string().nullable().describe('Its id; null of one that is known no more.'),
  expires_in_secs: z.number().int().describe('Unless the client comes again.'),
});

const bindingListSchema = z.object({
  bindings: z.array(bindingSchema),
  next_cursor: z
    .string()
    .nullable()
    .describe('Of the next page; null behind the last one. A page may have less than the limit, and yet a next one.'),
});

const removedSchema = z.object({ removed: count });

const removeQuery = z.strictObject({
  ...filterFields,
  all: z.enum(['true']).optional().describe('Without anything that says which: all of them.'),
});

const listQuery = z.strictObject({
  ...filterFields,
  limit: wholeNumber(1, MOST_LISTED).default(100).describe('How many at most.'),
  cursor: z
    .string()
    .regex(/^\d{1,10}$/, 'is not a next_cursor of this list')
    .default('0')
    .describe('Where the page begins: next_cursor of the one before.'),
});

export function bindingEndpoints(bindings: Bindings): readonly Endpoint[] {
  return [
    endpoint(
      {
        method: 'GET',
        path: '/api/v1/bindings',
        operationId: 'bindings',
        summary: 'Which backends clients come back to',
        query: listQuery,
        answers: { 200: bindingListSchema },
      },
      async ({ query: { limit, cursor, ...filter } }) => {
        return ok(bindingListJson(await bindings.list(readFilter(filter), Number(cursor), limit)));
      },
    ),
    endpoint(
      {
        method: 'DELETE',
        path: '/api/v1/bindings',
        operationId: 'removeBindings',
        summary: 'Forgets bindings: all of them, or those of a client or to a backend',
        query: removeQuery,
        answers: { 200: removedSchema },
      },
      async ({ query: { all, ...filter } }) => {
        const isAboutAll = Object.values(filter).every((value) => value === undefined);
        if (isAboutAll && all === undefined) throw invalid('all', 'say which are meant, or all=true');
        return ok({ removed: await bindings.remove(readFilter(filter)) });
      },
    ),
  ];
}

function readFilter(query: Readonly<Partial<Record<'backend' | 'client', string | undefined>>>): BindingFilter {
  const { backend, client } = query;
  const address = client === undefined ? undefined : parseIpAddress(client);
  if (address === null) throw invalid('client', 'is not an IP address');
  return { ...(backend === undefined ? {} : { backend }), ...(address === undefined ? {} : { client: address }) };
}

function bindingListJson({ bindings, next }: BindingPage): z.input<typeof bindingListSchema> {
  return {
    bindings: bindings.map(({ key, backend, expiresInSecs }) => ({ key, backend, expires_in_secs: expiresInSecs })),
    next_cursor: next === null ? null : String(next),
  };
}
