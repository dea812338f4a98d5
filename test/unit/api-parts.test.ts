/** The parts of the admin API that need no server. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { allEndpoints } from '../../src/adapters/inbound/api/routes/all-endpoints.js';
import { openApiDocument } from '../../src/adapters/inbound/api/openapi.js';
import { RequestRate } from '../../src/adapters/inbound/api/request-rate.js';
import { registrationSchema, registrationValues } from '../../src/adapters/inbound/api/schemas/registration-schema.js';
import type { ApiPorts } from '../../src/adapters/inbound/api/routes/all-endpoints.js';
import { EventLog } from '../../src/application/event-log.js';
import { readBackendRow } from '../../src/domain/backend-row.js';
import { isLoopback } from '../../src/domain/loopback.js';

describe('the rate of requests', () => {
  it('is a second’s worth at once and then as many per second, for each address', () => {
    const rate = new RequestRate(10);
    const taken = (address: string, nowMs: number): number =>
      Array.from({ length: 30 }, () => rate.take(address, nowMs)).filter((waitMs) => waitMs === 0).length;
    assert.equal(taken('192.0.2.1', 1000), 10);
    assert.equal(taken('192.0.2.2', 1000), 10);
    assert.equal(taken('192.0.2.1', 1500), 5);
    assert.equal(taken('192.0.2.1', 99_000), 10);
    assert.ok(rate.take('192.0.2.1', 99_000) > 0);
  });

  it('takes the /64 of IPv6 for one address, and any number where there is no limit', () => {
    const rate = new RequestRate(1);
    assert.equal(rate.take('2001:db8:1:2:3::1', 0), 0);
    assert.ok(rate.take('2001:db8:1:2:ffff::2', 0) > 0);
    assert.equal(rate.take('2001:db8:1:3::1', 0), 0);
    rate.useLimit(0);
    assert.equal(rate.take('2001:db8:1:3::1', 0), 0);
  });

  it('remembers a bounded number of addresses', () => {
    const rate = new RequestRate(1);
    rate.take('first', 0);
    for (let index = 0; index < 5000; index++) rate.take(`10.0.${index >> 8}.${index & 255}`, 0);
    assert.equal(rate.take('first', 0), 0);
  });
});

describe('what registers', () => {
  it('is read as a row of the routing database without a warning, whatever passes', () => {
    const text = fc.oneof(fc.string(), fc.constant('web'));
    const body = fc.record(
      {
        id: text,
        app: text,
        region: text,
        country: fc.constantFrom('br', 'US', 'x'),
        ip: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('unix:/x')),
        port: fc.integer({ min: -1, max: 70_000 }),
        weight: fc.oneof(fc.integer(), fc.double()),
        soft_limit: fc.integer(),
        hard_limit: fc.integer(),
      },
      { requiredKeys: ['id', 'app', 'region', 'ip', 'port'] },
    );
    let passed = 0;
    const property = fc.property(body, (sent) => {
      const result = registrationSchema.safeParse(sent);
      if (!result.success) return;
      passed++;
      const row = { ...{ healthy: 1, weight: 1, soft_limit: 1, hard_limit: 0, deleted: 0, country: '' } };
      const { backend, warnings } = readBackendRow({ ...row, ...registrationValues(result.data), id: sent.id }, 1);
      assert.deepEqual(warnings, []);
      assert.deepEqual([backend?.id, backend?.app], [sent.id, sent.app]);
    });
    fc.assert(property, { numRuns: 2000 });
    assert.ok(passed > 20, `${passed} have passed`);
  });
});

describe('events', () => {
  it('are the latest, oldest first', () => {
    const log = new EventLog(() => 7);
    assert.equal(log.latest.length, 0);
    for (let index = 0; index < 450; index++) log.note('warning', { index }, `event ${index}`);
    assert.equal(log.latest.length, 200);
    assert.deepEqual(
      [log.latest[0]?.reason, log.latest[199], log.latest[199]?.timeMs],
      ['event 250', { timeMs: 7, kind: 'warning', reason: 'event 449', context: { index: 449 } }, 7],
    );
  });
});

describe('the loopback', () => {
  it('is what only this host reaches', () => {
    for (const address of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1'])
      assert.ok(isLoopback(address), address);
    for (const address of ['0.0.0.0', '::', '128.0.0.1', '10.0.0.1', '::2', 'fe80::1', '::127.0.0.1', 'localhost', ''])
      assert.equal(isLoopback(address), false, address);
  });
});

describe('openapi.json', () => {
  it('is a valid OpenAPI 3.1 document, with an operation for every endpoint', async () => {
    // Nobody asks them.
    const endpoints = allEndpoints({} as ApiPorts);
    const document = JSON.parse(JSON.stringify(openApiDocument(endpoints, '1.2.3'))) as Record<string, unknown>;
    const { valid, errors } = await new Validator().validate(document);
    assert.ok(valid, JSON.stringify(errors));
    const operations = Object.values(
      document['paths'] as Record<string, Record<string, { operationId: string }>>,
    ).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    assert.deepEqual(operations.sort(), endpoints.map(({ operationId }) => operationId).sort());
    assert.equal(new Set(operations).size, operations.length);
  });
});
