import type { NativeAcceptor, NativeAddon } from '../adapters/outbound/native/native-addon.js';
import type { CountedRule } from '../application/metrics/proxy-metrics.js';
import type { Logger } from '../application/ports/logger.js';
import type { EventLog } from '../application/event-log.js';
import type { BoundListener } from '../application/listener-config.js';
import type { Reloader } from '../application/ports/reloader.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import type { RunTotals } from '../application/run-totals.js';
import type { ControlRegion } from '../domain/shared/control-region.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import type { WorkerSupervisor } from './worker-supervisor.js';

/** A part of the primary that has a life of its own beside the routing of clients: health checks, the watchdog, … */
export interface Service {
  /** Resolves when nothing of it can fail at start() any more; rejects with an EdgeproxyError where it cannot start. */
  prepare?(): Promise<void>;
  /** Workers take clients from now on. */
  start(): void;
  /** Another configuration is in force; also called once before start(). */
  configure(config: ProxyConfig): void;
  /**
   * Another routing table is in force; also called once before start(). `leftOut`: ids for which it has no place; `sinceUs`:
   * no worker has used it before then, of CLOCK_MONOTONIC.
   */
  useBackends?(published: readonly PublishedBackend[], leftOut: readonly string[], sinceUs: number): void;
  /** Listeners, rules or the geo database may be other ones, used by no worker before `sinceUs`; also called once before start(). */
  useNames?(sinceUs: number): void;
  /** SIGHUP. */
  reopen?(): void;
  /** The drain begins. Idempotent. */
  stop(): void;
  /** After stop(), when all workers have ended; resolves when the process may end. */
  close?(): Promise<void>;
}

/** What a service may ask of the primary. */
export interface PrimaryControl {
  readonly version: string;
  readonly events: EventLog;
  /** What is listened on, with real ports. */
  bound(): readonly BoundListener[];
  /** By id, with those that were removed. */
  listenerNames(): ReadonlyMap<number, string>;
  /** Reads the routing database now; resolves when it is in force or the failure logged. */
  refreshRouting(): Promise<void>;
  /** Puts the routing table into force once more: these registered backends get no new clients. */
  useSilent(ids: ReadonlySet<string>): void;
  /** As SIGHUP does. */
  readonly reloader: Reloader;
}

/** What services are made of. */
export interface ServiceParts {
  readonly native: NativeAddon;
  readonly logger: Logger;
  readonly region: ControlRegion;
  readonly acceptor: NativeAcceptor;
  readonly supervisor: WorkerSupervisor;
  readonly control: PrimaryControl;
  readonly totals: RunTotals;
  readonly countedRules: () => readonly CountedRule[];
  /** Whoever wants to know counters calls this first: an older version, which drains, counts on. */
  readonly catchUpCounters: () => void;
  /** An older version, which this one takes over from, still has what it listens on. */
  readonly isUpgrade: boolean;
}
