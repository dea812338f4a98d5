/** What the admin API takes for a number, and what it does not take for "all of them". */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../../src/adapters/inbound/api/api-error.js';
import { ApiServer } from '../../src/adapters/inbound/api/api-server.js';
import { endpoint, type Answer, type Endpoint } from '../../src/adapters/inbound/api/endpoint.js';
import { backendEndpoints } from '../../src/adapters/inbound/api/routes/backend-routes.js';
import { bindingEndpoints } from '../../src/adapters/inbound/api/routes/binding-routes.js';
import { connectionEndpoints } from '../../src/adapters/inbound/api/routes/connection-routes.js';
import { healthEndpoints } from '../../src/adapters/inbound/api/routes/health-routes.js';
import type { BackendDirectory } from '../../src/application/ports/backend-directory.js';
import type { Bindings } from '../../src/application/ports/bindings.js';
import type { Connections } from '../../src/application/ports/connections.js';
import type { ProxyView } from '../../src/application/ports/proxy-view.js';
import { EdgeproxyError } from '../../src/domain/edgeproxy-error.js';
import type { Owner } from '../support/scratch-directory.js';

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

describe('GET /health', () => {
  it('says whether clients are taken', async () => {
    const directory = { count: 0 } as BackendDirectory;
    const said: unknown[] = [];
    for (const phase of ['starting', 'serving', 'draining'] as const) {
      const view = { stats: () => ({ version: '1.2.3', uptimeSecs: 1, phase }) } as ProxyView;
      const { body } = (await ask(healthEndpoints(view, directory), 'health', {})) as Answer;
      said.push((body as { readonly status: string }).status);
    }
    assert.deepEqual(said, ['starting', 'ok', 'draining']);
  });
});

describe('a fault of the admin API', () => {
  /** What it answers where an endpoint throws that, and what it tells the log. */
  async function answerTo(owner: Owner, thrown: Error) {
    const failures: unknown[] = [];
    const server = new ApiServer({
      token: null,
      requestsPerSec: 0,
      version: '1.2.3',
      endpoints: [
        endpoint({ method: 'GET', path: '/fault', operationId: 'fault', summary: '', answers: {} }, () => {
          throw thrown;
        }),
      ],
      pages: [],
      onFailure: (error) => failures.push(error),
    });
    owner.after(() => server.close());
    const { address, port } = await server.listen({ address: '127.0.0.1', port: 0 });
    const response = await fetch(`http://${address}:${port}/fault`);
    return { status: response.status, text: await response.text(), failures };
  }

  it('is told as it was thrown, and answered without a word about it', async (t) => {
    const fault = new TypeError('of the test');
    const { status, text, failures } = await answerTo(t, fault);
    assert.equal(status, 500);
    assert.doesNotMatch(text, /of the test/);
    assert.equal(failures[0], fault);
  });

  it('is none where the database refuses or hangs; after a time-out it may yet be done', async (t) => {
    const failure = (code: `EP_${string}`) => new EdgeproxyError(code, 'x', { source: 'internal' });
    const locked = await answerTo(t, failure('EP_DB_LOCKED'));
    const hung = await answerTo(t, failure('EP_DB_TIMEOUT'));
    assert.deepEqual([locked.status, hung.status, locked.failures, hung.failures], [503, 503, [], []]);
    assert.doesNotMatch(locked.text, /may yet be done/);
    assert.match(hung.text, /may yet be done/);
  });
});
