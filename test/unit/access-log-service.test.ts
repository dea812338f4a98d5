/** What the primary does where the thread of the access log fails: nobody else is harmed, and another one follows. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type {
  AccessLogThread,
  AccessLogThreadEvents,
} from '../../src/adapters/outbound/access-log/access-log-thread.js';
import { AccessLogService } from '../../src/cluster/access-log-service.js';
import type { ProxyConfig } from '../../src/application/proxy-config.js';
import type { PublishedBackend } from '../../src/domain/shared/routes-writer.js';
import type { ServiceParts } from '../../src/cluster/service.js';
import { eventually } from '../support/eventually.js';

class FakeThread {
  isRunning = true;
  readonly told: { readonly type: string; readonly sinceUs?: number }[] = [];
  readonly events: AccessLogThreadEvents;

  constructor(events: AccessLogThreadEvents) {
    this.events = events;
  }

  tell(message: { readonly type: string; readonly sinceUs?: number }): void {
    this.told.push(message);
  }

  end(): Promise<void> {
    this.isRunning = false;
    return Promise.resolve();
  }

  terminate(): void {
    this.isRunning = false;
  }
}

function configOf(accessLog: string | null): ProxyConfig {
  const config = { workers: 1, maxConnections: 100, accessLog, accessLogFormat: 'json', accessLogMaxMegabytes: 1 };
  return { ...config, accessLogMaxFiles: 1 } as unknown as ProxyConfig;
}

/** A service that is switched on; each of `failures` is that of one start of a thread, in their order. */
function startService(t: TestContext, { failures = [] as Error[], names = (): [number, string][] => [] } = {}) {
  const threads: FakeThread[] = [];
  const errors: unknown[] = [];
  const parts = {
    logger: { error: (fields: { error: unknown }) => errors.push(fields.error), warn: () => undefined },
    native: {
      createRegion: (_: string, bytes: number) => ({ fd: -1, buffer: new SharedArrayBuffer(bytes) }),
      closeFd: () => undefined,
    },
    supervisor: { regions: { use: () => undefined, fdOf: () => null } },
    acceptor: { useAccessLog: () => undefined },
    control: { listenerNames: () => new Map(names()) },
    countedRules: () => [],
    totals: { countAccessLogDrops: () => undefined },
  };
  const service = new AccessLogService(parts as unknown as ServiceParts, (_, events) => {
    const failure = failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    const thread = new FakeThread(events);
    threads.push(thread);
    return Promise.resolve(thread as unknown as AccessLogThread);
  });
  t.after(() => service.close());
  service.configure(configOf('stdout'));
  service.start();
  return { service, threads, errors, running: () => threads.filter(({ isRunning }) => isRunning) };
}

describe('the service of the access log', () => {
  it('survives a thread that cannot be started, and what is wanted next is brought about', async (t) => {
    const failure = new Error('the module is not there');
    const { service, threads, errors, running } = startService(t, { failures: [failure] });
    await eventually('the failure is told', () => errors.length > 0);
    assert.deepEqual(errors, [failure]);
    service.configure(configOf('stderr'));
    await eventually('a thread', () => threads.length === 1);
    service.configure(configOf(null));
    await eventually('it is ended', () => running().length === 0);
  });

  it('starts another one by itself', async (t) => {
    const { threads, errors } = startService(t, { failures: [new Error('one'), new Error('two')] });
    await eventually('a thread', () => threads.length === 1);
    assert.equal(errors.length, 2);
  });

  it('leaves no thread behind that it could not tell the names', async (t) => {
    let failures = 1;
    const names = (): [number, string][] => {
      if (failures-- > 0) throw new Error('no names');
      return [[1, 'web']];
    };
    const { threads, running } = startService(t, { names });
    await eventually('another one', () => threads.length === 2);
    assert.deepEqual(running(), [threads[1]]);
  });

  it('tells names with the time since when they can be in use, not that of telling', async (t) => {
    const { service, threads } = startService(t);
    const [thread] = await eventually('a thread', () => threads.length === 1 && threads);
    const backend = { slot: 3, backend: { id: 'sa-1' } } as unknown as PublishedBackend;
    service.useBackends([backend], [], 1234);
    assert.deepEqual(thread?.told, [{ type: 'names', kind: 'backend', names: [[3, 'sa-1']], sinceUs: 1234 }]);
  });

  it('ends a thread that has died and starts one, but not for one that was given up before', async (t) => {
    const { service, threads, errors, running } = startService(t);
    const [first] = await eventually('a thread', () => threads.length === 1 && threads);
    service.configure(configOf(null));
    await eventually('it is ended', () => running().length === 0);
    service.configure(configOf('stdout'));
    const [, second] = await eventually('its successor', () => threads.length === 2 && threads);
    first?.events.onDeath(new Error('late'));
    assert.deepEqual(errors, []);
    assert.equal(second?.isRunning, true);
    second.events.onDeath(new Error('out of memory'));
    await eventually('the third', () => threads.length === 3);
    assert.equal(errors.length, 1);
    assert.deepEqual(running(), [threads[2]]);
  });
});
