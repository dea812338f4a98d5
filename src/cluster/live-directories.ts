import type { Bindings } from '../application/ports/bindings.js';
import type { Connections } from '../application/ports/connections.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { BackendNames } from './backend-names.js';
import { BindingDirectory } from './binding-directory.js';
import { ConnectionDirectory } from './connection-directory.js';
import { monotonicNow } from './monotonic-clock.js';
import type { ServiceParts } from './service.js';

/** Who is connected and who is bound, for whoever asks. */
export class LiveDirectories {
  readonly connections: Connections;
  readonly bindings: Bindings;
  readonly #backends: BackendNames;
  #published: readonly PublishedBackend[] = [];

  constructor({ region, supervisor, control }: Pick<ServiceParts, 'region' | 'supervisor' | 'control'>) {
    const backends = new BackendNames(region);
    const listenerNames = (): ReadonlyMap<number, string> => control.listenerNames();
    const nowMs = (): number => performance.now();
    this.#backends = backends;
    this.connections = new ConnectionDirectory({ region, supervisor, backends, listenerNames, nowMs });
    this.bindings = new BindingDirectory({
      region,
      backends,
      listenerIds: () => listenerNames().keys(),
      pools: () => new Set([0, ...this.#published.map(({ pool }) => pool)]),
      nowSecs: () => monotonicNow().secs,
    });
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#published = published;
    this.#backends.use(published);
  }
}
