/**
 * Tells the service manager (systemd, Type=notify) how the proxy is, and that it lives: one short datagram each.
 *
 * At an upgrade the newer version says that it is the main process now, before the older one drains; from then on the older one
 * keeps still, because its words would be taken for those of the service.
 */
import type { NativeAddon, NativeError } from '../../adapters/outbound/native/native-addon.js';
import type { Logger } from '../../application/ports/logger.js';
import { monotonicMicros } from '../monotonic-clock.js';

export interface ServiceManagerOptions {
  readonly native: Pick<NativeAddon, 'sendNotification'>;
  /** A path or @abstract. */
  readonly socket: string;
  /** A sign of life is due within this time; null = none. */
  readonly watchdogMs: number | null;
  readonly logger: Logger;
}

/** Where the other side's queue is full; it is emptied in no time, unless the machine is very busy. */
const RETRY_MS = 50;
const MOST_WAITING = 16;
/** How soon to look again whether somebody takes clients. */
const UNSERVED_MS = 1000;
/** What is left after the drain's own timeout: workers that do not answer are killed meanwhile. */
const END_MS = 10_000;

export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #waiting: string[] = [];
  #retry: NodeJS.Timeout | null = null;
  #beat: NodeJS.Timeout | null = null;
  #isServing: () => boolean = () => true;
  #status = '';
  #reloads = 0;
  #isReady = false;
  #isStopping = false;
  #hasLeft = false;
  #hasWarned = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
  }

  /** Clients are taken. From here on it shows signs of life, as long as `isServing` says that somebody takes clients. */
  ready(status: string, isServing: () => boolean): void {
    this.#isReady = true;
    this.#status = status;
    this.#isServing = isServing;
    this.#tell('READY=1', `MAINPID=${process.pid}`, `STATUS=${status}`);
    this.#watch();
  }

  /** Around a reload; several may overlap. One that is asked for during the start says nothing: it would call the start done. */
  async reloading(reload: Promise<unknown>): Promise<void> {
    if (!this.#isReady || this.#isStopping) return;
    this.#reloads++;
    const micros = monotonicMicros();
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${micros}`, 'STATUS=reloading');
    await reload;
    this.#reloads--;
    if (this.#reloads === 0) this.#tellOfReload();
  }

  /** Unless the drain has begun meanwhile. */
  #tellOfReload(): void {
    if (!this.#isStopping) this.#tell('READY=1', `STATUS=${this.#status}`);
  }

  /** The drain begins, and takes up to `timeoutMs`: so long nobody is to lose patience. */
  stopping(timeoutMs: number): void {
    this.#isStopping = true;
    // Workers take no clients now, which is as it should be.
    this.#isServing = () => true;
    this.#tell('STOPPING=1', `EXTEND_TIMEOUT_USEC=${(timeoutMs + END_MS) * 1000}`, 'STATUS=draining');
  }

  /** A newer version speaks for the service from here on. Idempotent. */
  leave(): void {
    this.#hasLeft = true;
    this.#waiting.length = 0;
    if (this.#beat !== null) clearTimeout(this.#beat);
    this.#beat = null;
  }

  /** At half of the time that is given, so that one late beat is none too late. */
  #watch(): void {
    const { watchdogMs } = this.#options;
    if (watchdogMs === null || this.#hasLeft) return;
    const isServing = this.#isServing();
    // One that waits is as good as this.
    if (isServing && this.#waiting.length === 0) this.#tell('WATCHDOG=1');
    const nextMs = isServing ? watchdogMs / 2 : Math.min(UNSERVED_MS, watchdogMs / 10);
    this.#beat = setTimeout(() => this.#watch(), nextMs).unref();
  }

  #tell(...lines: readonly string[]): void {
    if (this.#hasLeft) return;
    if (this.#waiting.length === MOST_WAITING) this.#waiting.shift();
    this.#waiting.push(lines.join('\n'));
    if (this.#retry === null) this.#send();
  }

  #send(): void {
    this.#retry = null;
    const { native, socket } = this.#options;
    for (let text = this.#waiting[0]; text !== undefined; text = this.#waiting[0]) {
      try {
        native.sendNotification(socket, text);
      } catch (error) {
        if ((error as NativeError).errnoCode === 'EAGAIN') {
          this.#retry = setTimeout(() => this.#send(), RETRY_MS).unref();
          return;
        }
        this.#warn(error as NativeError);
      }
      this.#waiting.shift();
    }
  }

  /** Once: who is not there now will not be there in a second. */
  #warn({ errnoCode }: NativeError): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { logger, socket } = this.#options;
    logger.warn({ notifySocket: socket, errnoCode }, 'the service manager cannot be told anything');
  }
}
