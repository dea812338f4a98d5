/** Redis as a second source of a running proxy's backends. */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { nameAndEnd } from '../support/backend-behaviours.js';
import { ConfigFile } from '../support/config-file.js';
import { eventually } from '../support/eventually.js';
import { spawnProxy, startProxy } from '../support/proxy-process.js';
import { RedisServer, ownRedisAddress } from '../support/redis-server.js';
import { changeBackends } from '../support/routing-edits.js';
import { startBackend } from '../support/tcp-backend.js';
import { visit } from '../support/visit.js';

const TIME_LIMIT = { timeout: 300_000 };
const ENV = { EDGEPROXY_DB_RELOAD_SECS: '0.05', EDGEPROXY_BINDING_TTL_SECS: '0', EDGEPROXY_CONNECT_RETRIES: '0' };

describe('a proxy with Redis', TIME_LIMIT, () => {
  it('starts without it, takes its backends when it is there, and keeps them when it is gone', async (t) => {
    const own = await startBackend(t, nameAndEnd('sqlite'));
    const other = await startBackend(t, nameAndEnd('redis'));
    const address = ownRedisAddress();
    const file = await ConfigFile.make(t, {
      redis: {
        url: `redis://${address}:6379`,
        password: 'hush-hush',
        db: 0,
        pool_size: 10,
        connection_timeout: 5,
        command_timeout: 3,
      },
    });
    const backends = [{ id: 'own', port: own.port }];
    const proxy = await startProxy(t, { backends, args: ['--config', file.path], env: ENV });
    const refused = await proxy.waitForLog(({ msg }) => String(msg).startsWith('Redis is left aside'));
    assert.deepEqual([refused['level'], refused['code']], ['warn', 'EP_REDIS']);
    assert.equal(await visit(t, proxy), 'sqlite');
    const server = await RedisServer.start(t, address, 'hush-hush');
    await server.put('other', {
      address: `127.0.0.1:${other.port}`,
      weight: 1,
      healthy: true,
      last_check: 0,
      metadata: {},
    });
    await proxy.waitForLog(({ msg }) => msg === 'Redis can be read again');
    changeBackends(proxy.databasePath, { own: { weight: 0 } });
    await eventually('clients get the backend of Redis', async () => (await visit(t, proxy)) === 'redis');
    await server.stop();
    await eventually('Redis is missed', () => proxy.log.lines.filter(({ code }) => code === 'EP_REDIS').length >= 2);
    assert.equal(await visit(t, proxy), 'redis');
    changeBackends(proxy.databasePath, { own: { weight: 1_000_000 } });
    await eventually('the routing database is looked at still', async () => (await visit(t, proxy)) === 'sqlite');
    assert.doesNotMatch(JSON.stringify(proxy.log.lines) + proxy.stderr, /hush/);
  });

  it('that never answers goes on with its routing database', async (t) => {
    const own = await startBackend(t, nameAndEnd('sqlite'));
    const mute = createServer(() => undefined).listen(0, '127.0.0.1');
    t.after(() => mute.close());
    await once(mute, 'listening');
    const env = {
      ...ENV,
      EDGEPROXY_REDIS_URL: `redis://127.0.0.1:${(mute.address() as AddressInfo).port}`,
      EDGEPROXY_REDIS_CONNECTION_TIMEOUT_SECS: '0.5',
      EDGEPROXY_REDIS_COMMAND_TIMEOUT_SECS: '0.5',
    };
    const proxy = await startProxy(t, { backends: [{ id: 'own', port: own.port, weight: 0 }], env });
    changeBackends(proxy.databasePath, { own: { weight: 1 } });
    await eventually('the change is in force', async () => (await visit(t, proxy)) === 'sqlite');
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  });

  it('refuses wrong settings without showing them', async (t) => {
    const env = { EDGEPROXY_REDIS_URL: 'http://u:hush-hush@redis.test', EDGEPROXY_REDIS_PASSWORD: 'hush\u0007hush' };
    const proxy = await spawnProxy(t, { env });
    assert.deepEqual(await proxy.exit, { code: 2, signal: null });
    assert.match(proxy.stderr, /EDGEPROXY_REDIS_URL: the value is not valid; expected redis:/);
    assert.match(proxy.stderr, /EDGEPROXY_REDIS_PASSWORD: the value is not valid/);
    assert.doesNotMatch(proxy.stderr, /hush/);
  });
});
