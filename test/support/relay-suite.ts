/**
 * The frame of the relay's tests: one proxy with one backend whose connections the test drives by hand, once copying and
 * once splicing, so that a test is a conversation between a client and an upstream.
 */
import { before, describe } from 'node:test';
import { atRest } from './at-rest.js';
import { connectPeer, type Peer } from './peer.js';
import { startProxy, type ProxyOptions, type ProxyProcess } from './proxy-process.js';
import type { Owner } from './scratch-directory.js';
import { suiteOwner } from './suite-owner.js';
import { startBackend, type TcpBackend } from './tcp-backend.js';

export type SpliceMode = 'off' | 'on';

export class RelaySuite {
  readonly proxy: ProxyProcess;
  readonly backend: TcpBackend;
  readonly slot: number;

  constructor(proxy: ProxyProcess, backend: TcpBackend) {
    this.proxy = proxy;
    this.backend = backend;
    this.slot = proxy.counters.slotOf(backend.port);
  }

  /** A client and the backend's end of the same connection. */
  async pair(owner: Owner): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    const client = await connectPeer(owner, this.proxy);
    return { client, upstream: await this.backend.nextPeer() };
  }

  /** Waits until no connection is left and every place is given back. */
  async atRest(): Promise<void> {
    await atRest(this.proxy, this.slot + 1);
  }
}

/** Defines the tests once for copying and once for splicing; `suite()` is there once they run. */
export function forCopyAndSplice(
  define: (suite: () => RelaySuite, mode: SpliceMode) => void,
  options: ProxyOptions = {},
): void {
  for (const mode of ['off', 'on'] as const) {
    describe(mode === 'off' ? 'copying' : 'splicing', () => {
      define(relaySuite({ ...options, env: { ...options.env, EDGEPROXY_SPLICE: mode } }), mode);
    });
  }
}

/** For the body of a `describe`: starts proxy and backend before its tests. Listens on ::1 where options say so. */
export function relaySuite(options: ProxyOptions = {}): () => RelaySuite {
  const owner = suiteOwner();
  let suite: RelaySuite | null = null;
  before(async () => {
    const host = options.listen?.startsWith('[') === true ? '::1' : '127.0.0.1';
    const backend = await startBackend(owner, undefined, { host });
    const backends = [{ address: host, port: backend.port }];
    suite = new RelaySuite(await startProxy(owner, { workers: 1, backends, ...options }), backend);
  });
  return () => {
    if (suite === null) throw new Error('the suite has not started');
    return suite;
  };
}
