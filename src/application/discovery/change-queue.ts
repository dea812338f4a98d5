/** Changes on their way to the store: those that come while it writes are written together, in one go. */
import type { Heartbeat } from '../../domain/discovery/registrations.js';
import type { ChangeOutcome, RegistrationStore, StoredChange } from '../ports/registration-store.js';

interface Waiting {
  readonly change: StoredChange;
  readonly resolve: (outcome: ChangeOutcome) => void;
  readonly reject: (error: unknown) => void;
}

export class ChangeQueue {
  readonly #store: RegistrationStore;
  #waiting: Waiting[] = [];
  #heartbeats: Heartbeat[] = [];
  #onHeartbeats: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #isWriting = false;

  constructor(store: RegistrationStore) {
    this.#store = store;
  }

  submit(change: StoredChange): Promise<ChangeOutcome> {
    const outcome = new Promise<ChangeOutcome>((resolve, reject) => this.#waiting.push({ change, resolve, reject }));
    void this.#write();
    return outcome;
  }

  save(heartbeats: readonly Heartbeat[]): Promise<void> {
    this.#heartbeats.push(...heartbeats);
    const saved = new Promise<void>((resolve, reject) => this.#onHeartbeats.push({ resolve, reject }));
    void this.#write();
    return saved;
  }

  /** One at a time. */
  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    while (this.#waiting.length > 0 || this.#onHeartbeats.length > 0) await this.#writeBatch();
    this.#isWriting = false;
  }

  async #writeBatch(): Promise<void> {
    const [batch, heartbeats, savers] = [this.#waiting, this.#heartbeats, this.#onHeartbeats];
    [this.#waiting, this.#heartbeats, this.#onHeartbeats] = [[], [], []];
    try {
      const changes = batch.map(({ change }) => change);
      const outcomes = await this.#store.write(changes, heartbeats);
      for (const [index, { resolve }] of batch.entries()) resolve(outcomes[index] ?? { kind: 'unknown' });
      for (const { resolve } of savers) resolve();
    } catch (error) {
      for (const { reject } of [...batch, ...savers]) reject(error);
    }
  }
}
