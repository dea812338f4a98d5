/**
 * What the API answers, each thing once: its path, the shapes of what it takes and gives, and what it does. The server and
 * the OpenAPI document are made from these.
 */
import { z } from 'zod';
import { ApiError, type ApiErrorCode } from './api-error.js';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface EndpointDescription {
  readonly method: Method;
  /** As OpenAPI writes it: `/api/v1/backends/{id}`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  /** What it gives, by status. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** How it can fail beside what every endpoint can. */
  readonly errors?: readonly ApiErrorCode[];
  /** It needs no token: it tells and changes nothing that a stranger may not know. */
  readonly isOpen?: true;
}

export interface Endpoint extends EndpointDescription {
  /** What was sent, unchecked; throws an ApiError. */
  run(sent: SentValues): Answer | Promise<Answer>;
}

export interface SentValues {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Read<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What `handle` gets has passed the schemas; what it returns is the body of the one answer, or says its status. */
export function endpoint<const D extends EndpointDescription>(
  description: D,
  handle: (input: {
    readonly params: Read<D['params']>;
    readonly query: Read<D['query']>;
    readonly body: Read<D['body']>;
  }) => Answer | Promise<Answer>,
): Endpoint {
  return {
    ...description,
    run: (sent) =>
      handle({
        params: read(description.params, sent.params) as Read<D['params']>,
        query: read(description.query, sent.query) as Read<D['query']>,
        body: read(description.body, sent.body ?? {}) as Read<D['body']>,
      }),
  };
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}

export const noContentSchema = z.undefined();

export function noContent(): Answer {
  return { status: 204, body: undefined };
}

/** Throws `invalid_request` with the first fault. */
function read(schema: z.ZodObject | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value, { error: reasonOf });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(fieldOf(issue), issue?.message ?? 'is not right');
}

/** In the words of the other messages; zod's own where those say more. */
function reasonOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'unrecognized_keys') return 'is not a known field';
  if (issue.code !== 'invalid_type') return undefined;
  return issue.input === undefined ? 'is missing' : `expected ${issue.expected}`;
}

export function invalid(field: string, reason: string): ApiError {
  const message = field === '' ? `The request is not right: ${reason}.` : `${field} is not right: ${reason}.`;
  return new ApiError('invalid_request', message, { ...(field === '' ? {} : { field }), reason });
}

function fieldOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return '';
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  return [...issue.path, ...unknown].map(String).join('.').slice(0, 100);
}
