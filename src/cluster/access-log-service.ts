/**
 * The access log as the primary sees it: memory that workers leave their records in, and a thread that makes lines of them. Neither
 * is there before the log is first switched on.
 */
import type {
  AccessLogOutput,
  AccessLogThreadData,
  NameKind,
} from '../adapters/outbound/access-log/access-log-messages.js';
import type { AccessLogThread, AccessLogThreadEvents } from '../adapters/outbound/access-log/access-log-thread.js';
import { LogFile } from '../adapters/outbound/log/log-file.js';
import { NATIVE_REGION_KIND } from '../adapters/outbound/native/native-addon.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { AccessRings, accessRegionBytes, accessUnits, initAccessRegion } from '../domain/access-log/access-rings.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { NumberedNames } from './numbered-names.js';
import { scheduleInBackground } from './schedule.js';
import type { Service, ServiceParts } from './service.js';

const MEGABYTE = 1_000_000;
/** How often it is looked whether lines were lost, and how often that is told, at most. */
const LOOK_MS = 1000;
const WARNING_MS = 10_000;
/** A thread that has died has a successor after this time. */
const RESTART_MS = 1000;

interface Memory {
  readonly buffer: SharedArrayBuffer;
  readonly rings: AccessRings;
}

type StartThread = (data: AccessLogThreadData, events: AccessLogThreadEvents) => Promise<AccessLogThread>;

export class AccessLogService implements Service {
  readonly #parts: ServiceParts;
  readonly #startsThread: StartThread;
  readonly #names: Readonly<Record<NameKind, NumberedNames>>;
  #memory: Memory | null = null;
  #output: AccessLogOutput | null = null;
  #thread: AccessLogThread | null = null;
  /** Settles when the thread that is wanted is there, and the one before gone. */
  #change: Promise<void> = Promise.resolve();
  #published: readonly PublishedBackend[] = [];
  #geoFd: number | null = null;
  #countedDrops = 0;
  #untoldDrops = 0;
  #nextWarningMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #isPrepared = false;
  #hasStarted = false;

  constructor(parts: ServiceParts, startsThread: StartThread = startAccessLogThread) {
    this.#parts = parts;
    this.#startsThread = startsThread;
    this.#names = {
      listener: new NumberedNames(() => [...parts.control.listenerNames()]),
      rule: new NumberedNames(() => parts.countedRules().map(({ number, rule }) => [number, rule])),
      backend: new NumberedNames(() => this.#published.map(({ slot, backend }) => [slot, backend.id])),
    };
  }

  /** At a reload it throws EP_LOG_FILE where the file cannot be opened; nothing has changed then. */
  configure(config: ProxyConfig): void {
    const output = outputOf(config);
    if (this.#isPrepared && output !== null && output.target !== this.#output?.target) checkFile(output);
    if (output !== null) this.#memory ??= this.#makeMemory(config);
    const isSame = JSON.stringify(output) === JSON.stringify(this.#output);
    this.#output = output;
    this.#memory?.rings.enable(output !== null);
    if (this.#hasStarted && !isSame) this.#apply();
  }

  /** Throws the same at the start. */
  prepare(): Promise<void> {
    if (this.#output !== null) checkFile(this.#output);
    this.#isPrepared = true;
    return Promise.resolve();
  }

  useBackends(published: readonly PublishedBackend[], _leftOut: readonly string[], sinceUs: number): void {
    this.#published = published;
    this.useNames(sinceUs);
  }

  useNames(sinceUs: number): void {
    if (this.#thread !== null) this.#tellNames(this.#thread, sinceUs);
  }

  start(): void {
    this.#hasStarted = true;
    this.#apply();
  }

  reopen(): void {
    this.#thread?.tell({ type: 'reopen' });
  }

  /** Connections that end in the drain have lines as well. */
  stop(): void {
    // See close().
  }

  async close(): Promise<void> {
    this.#hasStarted = false;
    await this.#change;
    await this.#endThread();
    this.#noteDrops();
    this.#tellDrops();
  }

  /** Whatever fails in it is a thread's death: it ends nothing else, and what is wanted next is still brought about. */
  #apply(): void {
    this.#change = this.#change.then(() => this.#settle()).catch((error: unknown) => this.#fail(error));
  }

  /** Brings about what is wanted now. */
  async #settle(): Promise<void> {
    const output = this.#output;
    if (output === null) return this.#endThread();
    if (this.#thread !== null) this.#thread.tell({ type: 'output', output });
    else await this.#startThread(output);
  }

  async #startThread(output: AccessLogOutput): Promise<void> {
    if (this.#memory === null || !this.#hasStarted) return;
    this.#timer ??= setInterval(() => this.#noteDrops(), LOOK_MS).unref();
    const thread = await this.#startsThread(
      { region: this.#memory.buffer, output },
      {
        onTrouble: (message) => this.#parts.logger.warn({}, `access log: ${message}`),
        // Of one that was given up already, and may have a successor, nobody wants to know.
        onDeath: (error) => {
          if (thread === this.#thread) this.#fail(error);
        },
      },
    );
    for (const names of Object.values(this.#names)) names.forget();
    this.#geoFd = null;
    this.#thread = thread;
    // What it finds in the rings may be older than this.
    this.#tellNames(thread, 0);
  }

  #fail(error: unknown): void {
    this.#parts.logger.error({ error }, 'the thread of the access log has died; another one follows');
    // Two would take the same records.
    this.#thread?.terminate();
    this.#thread = null;
    scheduleInBackground(() => {
      if (this.#hasStarted && this.#thread === null) this.#apply();
    }, RESTART_MS);
  }

  async #endThread(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await thread?.end();
  }

  #tellNames(thread: AccessLogThread, sinceUs: number): void {
    for (const kind of ['listener', 'rule', 'backend'] as const) {
      const names = this.#names[kind].changed();
      if (names.length > 0) thread.tell({ type: 'names', kind, names, sinceUs });
    }
    const { native, supervisor } = this.#parts;
    const geoFd = supervisor.regions.fdOf(NATIVE_REGION_KIND.GEO);
    if (geoFd === null || geoFd === this.#geoFd) return;
    this.#geoFd = geoFd;
    thread.tell({ type: 'geo', region: native.mapRegion(geoFd) });
  }

  #noteDrops(): void {
    const dropped = this.#memory?.rings.dropped ?? 0;
    const lines = dropped - this.#countedDrops;
    this.#countedDrops = dropped;
    this.#untoldDrops += lines;
    if (lines > 0) this.#parts.totals.countAccessLogDrops(lines);
    if (performance.now() >= this.#nextWarningMs) this.#tellDrops();
  }

  #tellDrops(): void {
    if (this.#untoldDrops === 0) return;
    this.#parts.logger.warn({ droppedLines: this.#untoldDrops }, 'lines of the access log were lost');
    this.#untoldDrops = 0;
    this.#nextWarningMs = performance.now() + WARNING_MS;
  }

  /** Workers have it for good: it stays as large as the limit of connections made it that was in force then. */
  #makeMemory({ workers, maxConnections }: ProxyConfig): Memory {
    const { native, supervisor, acceptor } = this.#parts;
    const rings = workers + 1;
    const units = accessUnits(maxConnections);
    const { fd, buffer } = native.createRegion('edgeproxy-access-log', accessRegionBytes(rings, units));
    initAccessRegion(buffer, rings, units);
    supervisor.regions.use(NATIVE_REGION_KIND.ACCESS_LOG, { fd, close: () => native.closeFd(fd) });
    acceptor.useAccessLog(buffer);
    return { buffer, rings: new AccessRings(buffer) };
  }
}

/** Loaded where there is an access log. */
async function startAccessLogThread(...args: Parameters<StartThread>): Promise<AccessLogThread> {
  const { AccessLogThread: Thread } = await import('../adapters/outbound/access-log/access-log-thread.js');
  return new Thread(...args);
}

/** The thread opens it later, when nobody waits for what comes of it. */
function checkFile({ target, maxBytes, maxFiles }: AccessLogOutput): void {
  if (target === 'stdout' || target === 'stderr') return;
  const never = { tryLock: () => false, onTrouble: () => undefined, nowMs: () => 0 };
  new LogFile({ path: target, maxBytes, maxFiles, ...never }).close();
}

function outputOf(config: ProxyConfig): AccessLogOutput | null {
  const { accessLog, accessLogFormat, accessLogMaxMegabytes, accessLogMaxFiles } = config;
  if (accessLog === null) return null;
  return {
    target: accessLog,
    format: accessLogFormat,
    maxBytes: accessLogMaxMegabytes * MEGABYTE,
    maxFiles: accessLogMaxFiles,
  };
}
