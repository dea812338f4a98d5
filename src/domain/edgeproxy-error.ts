/** Who failed: the one who configured, the client, a backend, or this program (or the system under it). */
export type ErrorSource = 'config' | 'client' | 'backend' | 'internal';

export interface EdgeproxyErrorOptions {
  readonly source: ErrorSource;
  readonly isRetryable?: boolean;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one base error: a stable code (`EP_…`, listed in docs/errors.md), who failed, and whether trying again can help. */
export class EdgeproxyError extends Error {
  override readonly name: string = 'EdgeproxyError';
  readonly code: string;
  readonly source: ErrorSource;
  readonly isRetryable: boolean;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: `EP_${string}`, message: string, options: EdgeproxyErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.source = options.source;
    this.isRetryable = options.isRetryable ?? false;
    this.context = options.context ?? {};
  }
}
