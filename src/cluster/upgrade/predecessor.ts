/** The old version as the new one sees it. It may die at any moment: then this one, which has the sockets, goes on alone. */
import type { NativeAddon } from '../../adapters/outbound/native/native-addon.js';
import type { Logger } from '../../application/ports/logger.js';
import { FIRST_DESCRIPTOR, type Inheritance } from './inheritance.js';
import { InheritedMemory, type SlotsById } from './inherited-memory.js';
import { asSlotsAnswer, type ToPredecessor } from './messages.js';

/** For an answer of the old version, which may be busy or of a kind that knows no such question. */
const PATIENCE_MS = 2000;

export class Predecessor {
  /** What it remembers of its clients. */
  readonly memory: InheritedMemory;
  readonly #onGone: () => void;

  /** Takes the descriptors that came from the old version: no worker inherits them, and the unknown ones are closed. */
  constructor(inheritance: Inheritance, native: NativeAddon, logger: Logger) {
    const oldPid = inheritance.primaryPid;
    logger.info({ oldPid }, 'starting with the listening sockets of the old version');
    this.#onGone = () => logger.warn({ oldPid }, 'the old version has died; starting without it');
    process.once('disconnect', this.#onGone);
    takeDescriptors(inheritance, native);
    this.memory = new InheritedMemory(native, oldPid, inheritance.regionFd, () => this.#askSlots());
  }

  /** This version takes clients: the old one drains. */
  async takeOver(adopted: readonly number[]): Promise<void> {
    // What comes now is its answer.
    process.off('disconnect', this.#onGone);
    await this.#tell({ type: 'ready', adopted });
    this.letGo();
  }

  /** Closes the channel, which would keep this process alive; idempotent. */
  letGo(): void {
    process.off('disconnect', this.#onGone);
    if (process.connected) process.disconnect();
  }

  /** Null where the old version is gone or does not answer. */
  async #askSlots(): Promise<SlotsById | null> {
    let onMessage: (message: unknown) => void = () => undefined;
    let onGone: () => void = () => undefined;
    const answer = new Promise<SlotsById | null>((resolve) => {
      onMessage = (message) => {
        const told = asSlotsAnswer(message);
        if (told !== null) resolve(told.slots);
      };
      onGone = () => resolve(null);
    });
    process.on('message', onMessage).once('disconnect', onGone);
    const timer = setTimeout(onGone, PATIENCE_MS);
    if (!process.connected) onGone();
    await this.#tell({ type: 'slots?' });
    const slots = await answer;
    clearTimeout(timer);
    process.off('message', onMessage).off('disconnect', onGone);
    return slots;
  }

  /** Resolves when it is sent, or cannot be because nobody is there any more. */
  #tell(message: ToPredecessor): Promise<void> {
    return new Promise((resolve) => {
      if (process.send === undefined || !process.connected) resolve();
      else process.send(message, undefined, undefined, () => resolve());
    });
  }
}

function takeDescriptors({ listeners, regionFd, endDescriptor }: Inheritance, native: NativeAddon): void {
  const known = new Set([regionFd, ...listeners.flatMap(({ fds }) => fds)]);
  for (let fd = FIRST_DESCRIPTOR; fd < endDescriptor; fd++) {
    if (known.has(fd)) native.setCloseOnExec(fd);
    else native.closeFd(fd);
  }
}
