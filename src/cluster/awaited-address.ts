/**
 * The address of a server that the primary has for itself. During an upgrade the old version still has it: the new one asks for it
 * until the old one, which drains, has let go of it.
 */
import type { ListenAddress } from '../application/listener-config.js';
import type { EdgeproxyError } from '../domain/edgeproxy-error.js';
import { scheduleInBackground } from './schedule.js';

const RETRY_MS = 200;

export interface AwaitedAddressOptions {
  readonly server: { listen(address: ListenAddress): Promise<ListenAddress>; close(): void };
  readonly address: ListenAddress;
  /** Somebody may still have it, and will let go of it. */
  readonly isUpgrade: boolean;
  /** With the real port; `isLate` where it had to be waited for. */
  readonly onServed: (bound: ListenAddress, isLate: boolean) => void | Promise<void>;
  readonly refusal: (cause: unknown) => EdgeproxyError;
  /** It was waited for and cannot be had. */
  readonly onGivenUp: (error: unknown) => void;
}

export class AwaitedAddress {
  readonly #options: AwaitedAddressOptions;
  #cancelRetry: () => void = () => undefined;
  #isStopped = false;

  constructor(options: AwaitedAddressOptions) {
    this.#options = options;
  }

  /** Resolves when it is served, or waited for; rejects with the refusal. */
  async open(): Promise<void> {
    await this.#try(false);
  }

  /** Idempotent; the server is its owner's to close. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry();
  }

  async #try(isLate: boolean): Promise<void> {
    const { server, address, isUpgrade, onServed, refusal } = this.#options;
    let bound: ListenAddress;
    try {
      bound = await server.listen(address);
    } catch (cause) {
      const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || !isUpgrade) throw refusal(cause);
      if (!this.#isStopped) this.#cancelRetry = scheduleInBackground(() => void this.#tryAgain(), RETRY_MS);
      return;
    }
    if (this.#isStopped) server.close();
    else await onServed(bound, isLate);
  }

  async #tryAgain(): Promise<void> {
    try {
      await this.#try(true);
    } catch (error) {
      this.#options.onGivenUp(error);
    }
  }
}
