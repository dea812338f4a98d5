/** Every way in which a request can fail, once: the answers, the OpenAPI document and docs/api.md derive from this table. */
export const API_ERRORS = {
  invalid_request: {
    status: 400,
    meaning: 'the body, the query or the path is not right; `field` and `reason` say where and why',
  },
  unauthorized: { status: 401, meaning: 'the token is missing or wrong' },
  forbidden: {
    status: 403,
    meaning: 'there is no token, and the request comes by way of a browser or of a foreign name',
  },
  not_found: { status: 404, meaning: 'there is no such path or no such thing' },
  method_not_allowed: { status: 405, meaning: 'the path has other methods, see the header Allow' },
  conflict: { status: 409, meaning: 'it cannot be changed here; `reason` says who owns it' },
  body_too_large: { status: 413, meaning: 'the body is longer than 16 KiB' },
  unsupported_media_type: { status: 415, meaning: 'the body is not application/json' },
  refused: { status: 422, meaning: 'what was asked for is refused; `reason` says why, nothing has changed' },
  rate_limited: { status: 429, meaning: 'too many requests of this address; Retry-After says when to come again' },
  internal: { status: 500, meaning: 'a fault of the proxy; the log says more' },
  unavailable: {
    status: 503,
    meaning:
      'it cannot be done now, the routing database cannot be written for instance; nothing has changed, unless `message` says that it may yet be done',
  },
  table_full: { status: 507, meaning: 'there is no room for another backend, see EDGEPROXY_MAX_BACKENDS' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly meaning: string }>>;

export type ApiErrorCode = keyof typeof API_ERRORS;

export interface ApiErrorDetails {
  /** As the user writes it, for instance `weight`. */
  readonly field?: string;
  readonly reason?: string;
  readonly problems?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly details: ApiErrorDetails;

  constructor(code: ApiErrorCode, message: string, details: ApiErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return API_ERRORS[this.code].status;
  }

  toJSON(): object {
    const { field, reason, problems } = this.details;
    const error = {
      code: this.code,
      message: this.message,
      ...(field === undefined ? {} : { field }),
      ...(reason === undefined ? {} : { reason }),
      ...(problems === undefined ? {} : { problems }),
    };
    return { error };
  }
}
