import type { BoundListener, ListenerConfig } from '../application/listener-config.js';
import type { Listener } from './listening-sockets.js';
import type { ListenerSettings } from './listener-words.js';

interface Entry extends ListenerSettings {
  readonly name: string;
}

/**
 * What each listener is called and how it is set, by its id. One that was removed keeps its last settings until its id is
 * used again: connections that came by it go on as before.
 */
export class ListenerTable {
  readonly #entries = new Map<number, Entry>();

  /** Takes those of the configuration; `open` are its listeners, in its order. `flagsOf` gives bits of LISTENER_FLAG. */
  use(
    open: readonly Listener[],
    configured: readonly ListenerConfig[],
    flagsOf: (listener: Pick<BoundListener, 'protocol' | 'port'>) => number,
  ): void {
    for (const [index, { id, bound }] of open.entries()) {
      const config = configured[index];
      if (config === undefined) continue;
      const { name, protocol, limits } = config;
      this.#entries.set(id, { id, name, limits, flags: flagsOf({ protocol, port: bound.port }) });
    }
  }

  /** By id, with those that are no longer open. */
  get names(): ReadonlyMap<number, string> {
    return new Map(Array.from(this.#entries, ([id, { name }]) => [id, name]));
  }

  get settings(): readonly ListenerSettings[] {
    return [...this.#entries.values()];
  }

  describe({ id, wanted, bound }: Listener): BoundListener {
    return { name: this.#entries.get(id)?.name ?? '', protocol: wanted.protocol ?? 'tcp', ...bound };
  }
}
