/** What is read out of a real Redis. */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  RedisRoutingRepository,
  type RedisRoutingOptions,
} from '../../src/adapters/outbound/redis/redis-routing-repository.js';
import { RedisServer, ownRedisAddress } from '../support/redis-server.js';
import type { Owner } from '../support/scratch-directory.js';

const TIME_LIMIT = { timeout: 300_000 };
const FULL = {
  address: '10.0.0.1:8080',
  weight: 100,
  healthy: true,
  last_check: 1_700_000_000,
  metadata: { app: 'web', region: 'EU', country: 'de', soft_limit: '10', hard_limit: '20', version: '1.2' },
};
const BACKEND = {
  id: 'redis/a',
  app: 'web',
  region: 'eu',
  country: 'DE',
  address: '10.0.0.1',
  port: 8080,
  isHealthy: true,
  isDraining: false,
  weight: 100,
  softLimit: 10,
  hardLimit: 20,
};

function open(owner: Owner, url: string, changes: Partial<RedisRoutingOptions> = {}): RedisRoutingRepository {
  const repository = new RedisRoutingRepository({
    url,
    password: null,
    db: null,
    poolSize: 1,
    connectTimeoutMs: 5000,
    commandTimeoutMs: 5000,
    maxBackends: 5000,
    ...changes,
  });
  owner.after(() => repository.close());
  return repository;
}

describe('backends in Redis', TIME_LIMIT, () => {
  it('are read with everything that is said of them, and again only when they have changed', async (t) => {
    const server = await RedisServer.start(t);
    const repository = open(t, server.url);
    assert.deepEqual(await repository.readIfChanged(), { backends: [], warnings: [] });
    await server.put('a', FULL);
    await server.put('v6', { address: '[2001:db8::1]:443', healthy: false });
    await server.client.set('proxy:other', 'x');
    const second = {
      ...BACKEND,
      ...{ id: 'redis/v6', app: 'v6', region: '', country: '', address: '2001:db8::1', port: 443 },
      ...{ isHealthy: false, weight: 1, softLimit: 100, hardLimit: 150 },
    };
    assert.deepEqual(await repository.readIfChanged(), { backends: [BACKEND, second], warnings: [] });
    await server.put('a', { ...FULL, last_check: 1_700_000_001 });
    assert.equal(await repository.readIfChanged(), null);
    await server.remove('v6');
    assert.deepEqual(await repository.readIfChanged(), { backends: [BACKEND], warnings: [] });
  });

  it('are what the documentation says of them', async (t) => {
    const text = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8');
    const [, name = '', value = ''] = /redis-cli set proxy:backends:(\S+) '([^']+)'/.exec(text) ?? [];
    const server = await RedisServer.start(t);
    await server.put(name, value);
    const snapshot = await open(t, server.url).readIfChanged();
    const { id, app, address, port, country } = snapshot?.backends[0] ?? {};
    assert.deepEqual([id, app, address, port, country], ['redis/web-1', 'web', '10.0.0.1', 8080, 'DE']);
    assert.deepEqual(snapshot?.warnings, []);
  });

  it('that are wrong cost themselves alone, or a value its default', async (t) => {
    const server = await RedisServer.start(t);
    await server.put('a', FULL);
    await server.put('array', '[]');
    await server.put('broken', '{"address"');
    await server.put('host', { address: 'backend.test:80' });
    await server.client.hSet('proxy:backends:hash', 'address', '10.0.0.1:80');
    await server.put('long', { ...FULL, filler: 'x'.repeat(20_000) });
    await server.put('port', { address: '10.0.0.1:70000' });
    await server.put('weight', { ...FULL, weight: 'much' });
    await server.put('line\nbreak', FULL);
    const snapshot = await open(t, server.url).readIfChanged();
    assert.deepEqual(
      snapshot?.backends.map(({ id, weight }) => [id, weight]),
      [
        ['redis/a', 100],
        ['redis/weight', 1],
      ],
    );
    const told = snapshot.warnings.map(({ row, column, isSkipped }) => `${row} ${column} ${isSkipped}`);
    assert.deepEqual(told, [
      'redis/array value true',
      'redis/broken value true',
      'redis/hash value true',
      'redis/host address true',
      'redis/(unprintable) key true',
      'redis/long value true',
      'redis/port address true',
      'redis/weight weight false',
    ]);
  });

  it('may be many, over several connections, but not more than the routing table holds', async (t) => {
    const server = await RedisServer.start(t);
    const names = Array.from({ length: 1500 }, (_, index) => `b${String(index).padStart(4, '0')}`);
    await Promise.all(
      names.map((name, index) => server.put(name, { address: `10.0.${index >> 8}.${index & 255}:80` })),
    );
    const before = Number(/total_connections_received:(\d+)/.exec(await server.client.info('stats'))?.[1]);
    const snapshot = await open(t, server.url, { poolSize: 3 }).readIfChanged();
    assert.deepEqual(
      snapshot?.backends.map(({ id }) => id),
      names.map((name) => `redis/${name}`),
    );
    const after = Number(/total_connections_received:(\d+)/.exec(await server.client.info('stats'))?.[1]);
    assert.equal(after - before, 3);
    const small = open(t, server.url, { maxBackends: 1499 });
    await assert.rejects(small.readIfChanged(), { code: 'EP_REDIS', message: /more than 1499 backends/ });
  });

  it('are those of the database that is asked for', async (t) => {
    const server = await RedisServer.start(t);
    await server.client.select(3);
    await server.put('a', FULL);
    const idsOf = async (url: string, db: number | null): Promise<readonly string[] | undefined> =>
      (await open(t, url, { db }).readIfChanged())?.backends.map(({ id }) => id);
    assert.deepEqual(await idsOf(`${server.url}/3`, null), ['redis/a']);
    assert.deepEqual(await idsOf(server.url, 3), ['redis/a']);
    assert.deepEqual(await idsOf(`${server.url}/3`, 0), []);
  });

  it('need the right password, which no error shows', async (t) => {
    const server = await RedisServer.start(t, ownRedisAddress(), 'se cret');
    await server.put('a', FULL);
    const inUrl = server.url.replace('//', '//:se%20cret@');
    for (const repository of [open(t, server.url, { password: 'se cret' }), open(t, inUrl)])
      assert.equal((await repository.readIfChanged())?.backends.length, 1);
    for (const repository of [
      open(t, server.url, { password: 'hush-hush' }),
      open(t, server.url.replace('//', '//:hush-hush@')),
      open(t, server.url),
    ]) {
      await assert.rejects(repository.readIfChanged(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'EP_REDIS');
        assert.doesNotMatch(JSON.stringify([error.message, error, String(error.stack)]), /hush/);
        return true;
      });
    }
  });

  it('are given up in time where the server is gone or does not answer', async (t) => {
    const gone = open(t, `redis://${ownRedisAddress()}:6379`);
    await assert.rejects(gone.readIfChanged(), { code: 'EP_REDIS', message: /ECONNREFUSED/ });
    const mute = createServer(() => undefined).listen(0, '127.0.0.1');
    t.after(() => mute.close());
    await once(mute, 'listening');
    const url = `redis://127.0.0.1:${(mute.address() as AddressInfo).port}/1`;
    const limits = { connectTimeoutMs: 100, commandTimeoutMs: 100 };
    await assert.rejects(open(t, url, limits).readIfChanged(), {
      code: 'EP_REDIS',
      message: /no answer within 200 ms/,
    });
  });
});
