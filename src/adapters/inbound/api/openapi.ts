/** The OpenAPI 3.1 document of the endpoints, made from the schemas that requests are checked with. */
import { z } from 'zod';
import { API_ERRORS, type ApiErrorCode } from './api-error.js';
import { noContentSchema, type Endpoint } from './endpoint.js';
import { errorSchema } from './schemas/error-schema.js';

/** Of every endpoint, and of those that need the token or take a body. */
const COMMON_ERRORS: readonly ApiErrorCode[] = ['forbidden', 'rate_limited', 'internal'];
const BODY_ERRORS: readonly ApiErrorCode[] = ['invalid_request', 'body_too_large', 'unsupported_media_type'];

type Json = Readonly<Record<string, unknown>>;

export function openApiDocument(endpoints: readonly Endpoint[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const each of endpoints) (paths[each.path] ??= {})[each.method.toLowerCase()] = operationOf(each);
  return {
    openapi: '3.1.0',
    info: {
      title: 'edgeproxy admin API',
      version,
      description: 'Watches and changes a running edgeproxy; backends register themselves here.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: schemaOf(errorSchema, 'output') },
    },
  };
}

function operationOf(endpoint: Endpoint): Json {
  const { operationId, summary, params, query, body, answers, isOpen } = endpoint;
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  const responses = Object.entries(answers).map(([status, schema]) => {
    const content = schema === noContentSchema ? {} : { content: jsonContent(schemaOf(schema, 'output')) };
    return [status, { description: 'done', ...content }];
  });
  return {
    operationId,
    summary,
    ...(isOpen === true ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: jsonContent(schemaOf(body, 'input')) } }),
    responses: { ...Object.fromEntries(responses), ...errorResponses(errorsOf(endpoint)) },
  };
}

export function errorsOf({ errors = [], isOpen, body, params, query }: Endpoint): readonly ApiErrorCode[] {
  return [
    ...new Set([
      ...COMMON_ERRORS,
      ...(isOpen === true ? [] : (['unauthorized'] as const)),
      ...(body === undefined ? [] : BODY_ERRORS),
      ...(params === undefined && query === undefined ? [] : (['invalid_request'] as const)),
      ...errors,
    ]),
  ];
}

function errorResponses(codes: readonly ApiErrorCode[]): Json {
  const responses = codes.map((code) => {
    const { status, meaning } = API_ERRORS[code];
    return [
      status,
      { description: `${code}: ${meaning}`, content: jsonContent({ $ref: '#/components/schemas/Error' }) },
    ];
  });
  return Object.fromEntries(responses) as Json;
}

function parametersOf(schema: z.ZodObject | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => {
    return { name, in: place, required: place === 'path' || required.includes(name), description, schema: rest };
  });
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const entries = Object.entries(z.toJSONSchema(schema, { io }));
  // The document says which dialect it is in.
  return Object.fromEntries(entries.filter(([key]) => key !== '$schema'));
}

function jsonContent(schema: Json): Json {
  return { 'application/json': { schema } };
}
