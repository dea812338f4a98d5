/** The thread that reads the routing database: one reader, made by the first call, with its connection kept open. */
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { RoutingReader } from './routing-reader.js';
import type { RoutingReaderOptions, RoutingReading } from './routing-reader.js';

export interface ReadRequest extends RoutingReaderOptions {
  readonly knownDigest: string | null;
}

/** What an EdgeproxyError is on its way between threads: structured cloning keeps nothing but the message of an error. */
export interface ReadFailure {
  readonly code: `EP_${string}`;
  readonly message: string;
  readonly source: EdgeproxyError['source'];
  readonly isRetryable: boolean;
  readonly context: Readonly<Record<string, unknown>>;
}

export type ReadAnswer =
  { readonly isOk: true; readonly reading: RoutingReading } | { readonly isOk: false; readonly failure: ReadFailure };

let reader: RoutingReader | null = null;

export function readRoutingDatabase(request: ReadRequest): ReadAnswer {
  reader ??= new RoutingReader(request);
  try {
    return { isOk: true, reading: reader.read(request.knownDigest) };
  } catch (error) {
    if (!(error instanceof EdgeproxyError)) throw error;
    const { message, source, isRetryable, context } = error;
    return { isOk: false, failure: { code: error.code as `EP_${string}`, message, source, isRetryable, context } };
  }
}
