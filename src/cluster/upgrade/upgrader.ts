/** SIGUSR2 in the running version: at most one new version at a time is being started; one that fails changes nothing. */
import type { PidFile } from '../../adapters/outbound/pid-file.js';
import type { Logger } from '../../application/ports/logger.js';
import type { Legacy } from './inheritance.js';
import type { SlotsById } from './inherited-memory.js';
import { Successor } from './successor.js';

export interface UpgradeOptions {
  readonly timeoutMs: number;
  readonly bequeath: () => Legacy;
  readonly slots: () => SlotsById;
  /** See SuccessorOptions. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the new version may have written its pid before it failed. */
  readonly pidFile: PidFile | null;
}

export class Upgrader {
  /** Resolves when a new version takes clients, with the listeners that it has taken over. */
  readonly succeeded: Promise<readonly number[]>;
  readonly #logger: Logger;
  #onSucceeded: (adopted: readonly number[]) => void = () => undefined;
  #options: UpgradeOptions | null = null;
  #refusal = 'before this version is ready';
  #successor: Successor | null = null;
  #underWay: Promise<void> = Promise.resolve();
  #isReplaced = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.succeeded = new Promise((resolve) => (this.#onSucceeded = resolve));
  }

  /** Resolves once no new version is being started, with whether this one is in charge still. */
  async isInCharge(): Promise<boolean> {
    await this.#successor?.verdict;
    return !this.#isReplaced;
  }

  /** From here on begin() does what it says. */
  allow(options: UpgradeOptions): void {
    this.#options = options;
  }

  /** From here on nothing is started; a new version that is not ready yet is ended. Resolves when it is gone. */
  async refuse(when: string): Promise<void> {
    this.#options = null;
    this.#refusal = when;
    this.#successor?.kill('this version is ending');
    await this.#underWay;
  }

  /** Starts a new version, unless there is a reason not to. */
  begin(): void {
    if (this.#options === null) {
      this.#logger.warn({}, `SIGUSR2: no upgrade ${this.#refusal}`);
    } else if (this.#successor !== null) {
      this.#logger.warn({ newPid: this.#successor.pid }, 'SIGUSR2: an upgrade is under way already');
    } else {
      this.#underWay = this.#run(this.#options);
    }
  }

  async #run({ timeoutMs, bequeath, slots, environment, pidFile }: UpgradeOptions): Promise<void> {
    try {
      this.#successor = new Successor({ legacy: bequeath(), timeoutMs, slots, environment });
    } catch (error) {
      return this.#logger.error({ error }, 'the new version cannot be started; this one goes on');
    }
    const newPid = this.#successor.pid;
    this.#logger.info({ newPid, timeoutMs }, 'SIGUSR2: starting the new version');
    const verdict = await this.#successor.verdict;
    this.#successor = null;
    this.#isReplaced = verdict.isReady;
    if (verdict.isReady) return this.#onSucceeded(verdict.adopted);
    this.#keepPidFile(pidFile);
    const goesOn = this.#options === null ? '' : '; this one goes on';
    this.#logger.error({ newPid, ...verdict.context }, `the new version failed: ${verdict.reason}${goesOn}`);
  }

  #keepPidFile(pidFile: PidFile | null): void {
    try {
      if (pidFile?.isOwn() === false) pidFile.write();
    } catch (error) {
      this.#logger.error({ error }, 'the PID file cannot be written back');
    }
  }
}
