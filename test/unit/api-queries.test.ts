/** What the admin API takes for a number, and what it does not take for "all of them". */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../../src/adapters/inbound/api/api-error.js';
import { ApiServer } from '../../src/adapters/inbound/api/api-server.js';
import { endpoint, ok, type Endpoint } from '../../src/adapters/inbound/api/endpoint.js';
import { backendEndpoints } from '../../src/adapters/inbound/api/routes/backend-routes.js';
import { bindingEndpoints } from '../../src/adapters/inbound/api/routes/binding-routes.js';
import { connectionEndpoints } from '../../src/adapters/inbound/api/routes/connection-routes.js';
import type { BackendDirectory } from '../../src/application/ports/backend-directory.js';
import type { Bindings } from '../../src/application/ports/bindings.js';
import type { Connections } from '../../src/application/ports/connections.js';
import type { ProxyView } from '../../src/application/ports/proxy-view.js';

type Query = Readonly<Record<string, unknown>>;

/** Endpoints behind which nobody is: what they ask for is noted. */
function endpoints(): { readonly all: readonly Endpoint[]; readonly asked: unknown[][] } {
  const asked: unknown[][] = [];
  const connections = {
    list: (...args: unknown[]) => (
      asked.push(args),
      Promise.resolve({ connections: [], next: null, missingWorkers: [] })
    ),
    killMany: (...args: unknown[]) => (asked.push(args), Promise.resolve({ killed: 0, missingWorkers: [] })),
  } as unknown as Connections;
  const bindings = {
    list: (...args: unknown[]) => (asked.push(args), Promise.resolve({ bindings: [], next: null })),
    remove: (...args: unknown[]) => (asked.push(args), Promise.resolve(0)),
  } as unknown as Bindings;
  const view = {
    backends: (...args: unknown[]) => (asked.push(args), { page: [], total: 0 }),
  } as unknown as ProxyView;
  const all = [
    ...connectionEndpoints(connections),
    ...bindingEndpoints(bindings),
    ...backendEndpoints(view, {} as BackendDirectory),
  ];
  return { all, asked };
}

async function ask(all: readonly Endpoint[], operationId: string, query: Query): Promise<unknown> {
  const found = all.find((each) => each.operationId === operationId);
  assert.ok(found, operationId);
  return found.run({ params: {}, query, body: undefined });
}

describe('a query of the admin API', () => {
  const NUMBERS: readonly (readonly [operationId: string, field: string])[] = [
    ['connections', 'worker'],
    ['connections', 'limit'],
    ['killConnections', 'worker'],
    ['killConnections', 'limit'],
    ['bindings', 'limit'],
    ['backends', 'limit'],
    ['backends', 'offset'],
  ];
  for (const [operationId, field] of NUMBERS) {
    it(`takes digits alone for the number ${field} of ${operationId}`, async () => {
      const { all, asked } = endpoints();
      const nonsense = ['', ' ', ' 1', '1 ', '0x1', '1e0', '1.0', '+1', '-1', 'true', 'x', ['1', '2'], '9'.repeat(400)];
      for (const value of nonsense)
        await assert.rejects(
          async () => ask(all, operationId, { [field]: value, ...(field === 'limit' ? { backend: 'b' } : {}) }),
          (error) => error instanceof ApiError && error.code === 'invalid_request',
          `${operationId} ${field}=${String(value)}`,
        );
      assert.deepEqual(asked, []);
      const more = operationId === 'killConnections' ? { backend: 'b' } : {};
      await ask(all, operationId, { [field]: '1', ...more });
      assert.match(JSON.stringify(asked), /\b1\b/);
    });
  }

  it('means all of them only where it says so', async () => {
    const { all, asked } = endpoints();
    for (const operationId of ['killConnections', 'removeBindings']) {
      const refused = (error: unknown) => error instanceof ApiError && error.details.field === 'all';
      await assert.rejects(async () => ask(all, operationId, {}), refused, operationId);
      assert.deepEqual(asked, []);
      await ask(all, operationId, { all: 'true' });
      assert.deepEqual(asked.pop()?.[0], {});
      await ask(all, operationId, { backend: 'b' });
      assert.deepEqual(asked.pop()?.[0], { backend: 'b' });
    }
  });
});

describe('a fault of the admin API', () => {
  it('is told as it was thrown, and answered without a word about it', async (t) => {
    const failures: unknown[] = [];
    const description = { method: 'GET', path: '/fault', operationId: 'fault', summary: '', answers: {} } as const;
    const fault = new TypeError('of the test');
    const server = new ApiServer({
      token: null,
      requestsPerSec: 0,
      version: '1.2.3',
      endpoints: [
        endpoint(description, () => {
          if (failures.length === 0) throw fault;
          return ok({});
        }),
      ],
      pages: [],
      onFailure: (error) => failures.push(error),
    });
    t.after(() => server.close());
    const { address, port } = await server.listen({ address: '127.0.0.1', port: 0 });
    const response = await fetch(`http://${address}:${port}/fault`);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /of the test/);
    assert.equal(failures[0], fault);
  });
});
