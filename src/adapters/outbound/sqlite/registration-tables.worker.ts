/** The thread that writes registrations. */
import type { ChangeOutcome, StoredChange } from '../../../application/ports/registration-store.js';
import type { Heartbeat } from '../../../domain/discovery/registrations.js';
import { EdgeproxyError } from '../../../domain/edgeproxy-error.js';
import { RegistrationTables } from './registration-tables.js';
import type { ReadFailure } from './routing-reader.worker.js';

export type StoreRequest =
  | { readonly kind: 'load'; readonly path: string }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly maxBackends: number;
      readonly changes: readonly StoredChange[];
      readonly heartbeats: readonly Heartbeat[];
    };

export type StoreAnswer =
  | { readonly kind: 'loaded'; readonly heartbeats: readonly Heartbeat[] }
  | { readonly kind: 'written'; readonly outcomes: readonly ChangeOutcome[] }
  | { readonly kind: 'failed'; readonly failure: ReadFailure };

export function storeRegistrations(request: StoreRequest): StoreAnswer {
  try {
    return RegistrationTables.use(request.path, (tables) => answer(request, tables));
  } catch (error) {
    if (!(error instanceof EdgeproxyError)) throw error;
    const { message, source, isRetryable, context } = error;
    return { kind: 'failed', failure: { code: error.code as `EP_${string}`, message, source, isRetryable, context } };
  }
}

function answer(request: StoreRequest, tables: RegistrationTables): StoreAnswer {
  if (request.kind === 'load') return { kind: 'loaded', heartbeats: tables.load() };
  const { changes, heartbeats, maxBackends } = request;
  return { kind: 'written', outcomes: tables.write(changes, heartbeats, maxBackends) };
}
