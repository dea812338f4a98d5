/** What `edgeproxy backend` writes for one backend instead of a setting, read back as the proxy reads it. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, it, type TestContext } from 'node:test';
import { createRoutingDatabase } from '../../src/adapters/outbound/sqlite/routing-schema.js';
import { SqliteRoutingRepository } from '../../src/adapters/outbound/sqlite/sqlite-routing-repository.js';
import type { Backend } from '../../src/domain/backend.js';
import type { CliAnswer } from '../support/cli-process.js';
import { within } from '../support/eventually.js';
import { SAMPLE_BACKEND } from '../support/sample-backend.js';
import { scratchPath } from '../support/sqlite-scratch.js';

const cli = fork(new URL('../support/cli-process.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
after(() => cli.disconnect());

async function run(...args: readonly string[]): Promise<CliAnswer> {
  const answer = once(cli, 'message');
  cli.send(['backend', ...args]);
  const [message] = (await within('the answer of the command', answer)) as [CliAnswer];
  return message;
}

/** A database with one backend, in the plain schema. */
function rig(test: TestContext) {
  const path = scratchPath(test);
  createRoutingDatabase(path, [SAMPLE_BACKEND]);
  return {
    path,
    done: async (...args: string[]): Promise<void> => {
      const { code, stderr } = await run(...args, '--db', path);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    },
    read: () => read(path),
  };
}

async function read(path: string): Promise<Backend | undefined> {
  const repository = new SqliteRoutingRepository({ path, maxBackends: 10 });
  try {
    const snapshot = await repository.readIfChanged();
    assert.deepEqual(snapshot?.warnings, []);
    return snapshot.backends[0];
  } finally {
    await repository.close();
  }
}

describe('edgeproxy backend set', () => {
  it('gives a backend a check of its own, and the settings back', async (test) => {
    const { done, read: backend } = rig(test);
    await done('set', 'sa-1', '--health-port', '9090', '--health-interval', '0.5', '--health-path', '/up');
    await done('set', 'sa-1', '--health-type', 'http');
    const overrides = { healthPort: 9090, healthIntervalSecs: 0.5, healthType: 'http', healthPath: '/up' } as const;
    assert.deepEqual(await backend(), { ...SAMPLE_BACKEND, overrides });
    const all = ['--health-port', '--health-interval', '--health-type', '--health-path'];
    await done('set', 'sa-1', ...all.flatMap((flag) => [flag, 'default']));
    assert.deepEqual(await backend(), SAMPLE_BACKEND);
  });

  it('shows it in the list as JSON', async (test) => {
    const { path, done } = rig(test);
    await done('set', 'sa-1', '--health-port', '9090');
    const [listed] = JSON.parse((await run('list', '--json', '--db', path)).stdout) as Record<string, unknown>[];
    assert.equal(listed?.['health_port'], 9090);
  });

  it('names every value that is wrong', async (test) => {
    const { path, read: backend } = rig(test);
    const wrong = { port: '0', interval: '0.01', type: 'udp', path: 'up' };
    const flags = Object.entries(wrong).flatMap(([name, value]) => [`--health-${name}`, value]);
    const { code, stderr } = await run('set', 'sa-1', ...flags, '--db', path);
    assert.equal(code, 2);
    for (const name of Object.keys(wrong))
      assert.match(stderr, new RegExp(`^error: --health-${name}: ".*" is not valid; expected .*, or default$`, 'm'));
    assert.deepEqual(await backend(), SAMPLE_BACKEND);
  });

  it('begins without them where a removed backend is added again', async (test) => {
    const { done, read: backend } = rig(test);
    await done('set', 'sa-1', '--health-port', '9090');
    await done('remove', 'sa-1');
    await done('add', '--id', 'sa-1', '--ip', '10.0.0.1', '--port', '80', '--health-path', '/new');
    assert.deepEqual((await backend())?.overrides, { healthPath: '/new' });
  });
});

describe('edgeproxy backend drain', () => {
  it('may have a time of its own, which the next drain and `enable` give up', async (test) => {
    const { done, read: backend } = rig(test);
    const drain = async (...flags: string[]): Promise<unknown> => {
      await done('drain', 'sa-1', ...flags);
      return (await backend())?.overrides;
    };
    assert.equal(await drain(), undefined);
    assert.deepEqual(await drain('--close-after', '1.5'), { drainTimeoutSecs: 1.5 });
    assert.equal(await drain(), undefined);
    assert.deepEqual(await drain('--close-after', '0'), { drainTimeoutSecs: 0 });
    await done('enable', 'sa-1');
    assert.deepEqual(await backend(), SAMPLE_BACKEND);
  });

  it('says what becomes of open connections', async (test) => {
    const { path } = rig(test);
    const said = async (...flags: string[]) => (await run('drain', 'sa-1', ...flags, '--db', path)).stdout;
    assert.match(await said('--close-after', '2'), /open connections are closed 2 s after .* for the first time$/m);
    assert.match(await said('--close-after', '0'), /open connections stay until they end$/m);
    assert.match(await said(), /open connections stay for EDGEPROXY_DRAIN_TIMEOUT_SECS/);
  });

  it('refuses a time that is none', async (test) => {
    const { path, read: backend } = rig(test);
    const { code, stderr } = await run('drain', 'sa-1', '--close-after', 'soon', '--db', path);
    assert.equal(code, 2);
    assert.match(stderr, /^error: --close-after: "soon" is not valid; expected seconds from 0 to 2592000/);
    assert.deepEqual(await backend(), SAMPLE_BACKEND);
  });
});
