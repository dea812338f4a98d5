/** Repositories over scratch databases, and what the tests of them ask. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import type { Backend } from '../../src/domain/backend.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import { SAMPLE_BACKEND } from './sample-backend.js';
import { scratchPath } from './sqlite-scratch.js';

/** For the thread to start in, on a machine that is busy with something else. */
const PATIENT_MS = 60_000;

export const OTHER: Backend = { ...SAMPLE_BACKEND, id: 'eu-1', region: 'eu', country: 'PT', address: '2001:db8::1' };

export function openRepository(test: TestContext, path: string): SqliteRoutingRepository {
  const repository = new SqliteRoutingRepository({ path, maxBackends: 1000, callTimeoutMs: PATIENT_MS });
  test.after(() => repository.close());
  return repository;
}

/** A repository over a new file with the given backends, already read once. */
export async function started(test: TestContext, backends: readonly Backend[] = [SAMPLE_BACKEND]) {
  const path = scratchPath(test);
  createRoutingDatabase(path, backends);
  const repository = openRepository(test, path);
  assert.deepEqual(await repository.readIfChanged(), { backends, warnings: [] });
  return { path, repository };
}

export async function backendsOf(repository: SqliteRoutingRepository): Promise<readonly Backend[] | undefined> {
  return (await repository.readIfChanged())?.backends;
}

export function failsWith(code: string, reason: RegExp, isRetryable = true) {
  return (error: unknown): true => {
    assert.ok(error instanceof EdgeproxyError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, reason);
    assert.equal(error.isRetryable, isRetryable);
    return true;
  };
}
