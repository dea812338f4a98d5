import { SocketProber } from '../adapters/outbound/health/socket-prober.js';
import { HealthMonitor, type HealthChange, type HealthSettings } from '../application/health-monitor.js';
import { LimitedLog } from '../application/limited-log.js';
import type { ProxyConfig } from '../application/proxy-config.js';
import { BackendStates } from '../domain/shared/backend-states.js';
import { ConnectTimes } from '../domain/shared/connect-times.js';
import { slotOwner } from '../domain/shared/slot-owner.js';
import type { PublishedBackend } from '../domain/shared/routes-writer.js';
import { fitProbes } from './descriptor-budget.js';
import { neededByPrimary } from './file-limit.js';
import { schedule } from './schedule.js';
import type { Service, ServiceParts } from './service.js';

/** Active health checks: what they find goes into the shared table, into the log and, if so configured, to connections. */
export class HealthService implements Service {
  readonly #parts: ServiceParts;
  readonly #states: BackendStates;
  readonly #connectTimes: ConnectTimes;
  readonly #monitor: HealthMonitor;
  readonly #log: LimitedLog;
  #doesCloseConnections = false;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#states = new BackendStates(parts.region);
    this.#connectTimes = new ConnectTimes(parts.region);
    this.#log = new LimitedLog(parts.logger, schedule);
    this.#monitor = new HealthMonitor({
      prober: new SocketProber(),
      nowMs: () => performance.now(),
      random: Math.random,
      schedule,
      onChange: (change) => this.#onChange(change),
      onForget: (slot) => void this.#states.setHealth(slot, true),
      onConnect: (slot, connectMs) => this.#connectTimes.measured(slot, connectMs * 1000),
      onSkip: (reason) => this.#log.write('warn', { reason }, 'health check could not be made'),
    });
  }

  configure(config: ProxyConfig): void {
    this.#doesCloseConnections = config.doesHealthCloseConnections;
    this.#warnOfSend(config);
    this.#monitor.configure(config.isHealthCheckEnabled ? this.#settingsOf(config) : null);
  }

  useBackends(published: readonly PublishedBackend[]): void {
    this.#monitor.useBackends(published);
  }

  start(): void {
    this.#monitor.start();
  }

  stop(): void {
    this.#monitor.stop();
    this.#log.close();
  }

  #onChange({ slot, id, isUp, check, reason }: HealthChange): void {
    this.#states.setHealth(slot, isUp);
    // After the state: whom a worker takes from this backend now, it gives to another one.
    if (!isUp && this.#doesCloseConnections) this.#closeConnections(slot);
    const context = { backend: id, check, reason };
    if (isUp) this.#log.write('info', context, 'backend is up');
    else this.#log.write('warn', context, 'backend is down');
  }

  #warnOfSend({ isHealthCheckEnabled, healthCheckType, healthCheckSend }: ProxyConfig): void {
    if (!isHealthCheckEnabled || healthCheckType !== 'http' || healthCheckSend === '') return;
    const message = 'HEALTH_CHECK_SEND is for tcp checks: those of HEALTH_CHECK_TYPE http send a request of their own';
    this.#parts.logger.warn({}, message);
  }

  #closeConnections(slot: number): void {
    const { region, supervisor } = this.#parts;
    supervisor.tell({ type: 'closeBackend', slot, owner: slotOwner(region, slot), reason: 'backend_unhealthy' });
  }

  #settingsOf(config: ProxyConfig): HealthSettings {
    return {
      type: config.healthCheckType,
      intervalMs: config.healthCheckIntervalSecs * 1000,
      timeoutMs: config.healthCheckTimeoutSecs * 1000,
      attempts: Math.max(1, config.healthCheckAttempts),
      path: config.healthCheckPath,
      statuses: config.healthCheckStatus,
      send: config.healthCheckSend,
      expect: config.healthCheckExpect,
      thresholds: { healthy: config.healthyThreshold, unhealthy: config.unhealthyThreshold },
      maxProbes: fitProbes(this.#parts.native.raiseFileLimit().hard, neededByPrimary(config)),
    };
  }
}
