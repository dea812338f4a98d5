/**
 * The configuration of a running proxy: validated, complete and frozen; made once by the config adapter and handed
 * down. docs/configuration.md lists where each value comes from.
 */
import type { AccessLogFormat } from '../domain/access-log/access-lines.js';
import type { CheckType } from '../domain/backend.js';
import type { StatusRange } from '../domain/health/status-ranges.js';
import type { ListenAddress, ListenerConfig } from './listener-config.js';
import type { RuleConfig } from './rule-config.js';

export type AcceptMode = 'handoff' | 'reuseport';
/** The CPUs of the workers: none of their own, one each of those that there are, or these. */
export type Pin = 'off' | 'auto' | readonly number[];
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'pretty' | 'json';

/** How to get at Redis. */
export interface RedisAccess {
  readonly url: string;
  readonly password: string | null;
  /** null = that of the URL. */
  readonly db: number | null;
  readonly poolSize: number;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

export interface ProxyConfig {
  /** TCP; see `listeners`, which has these and all others. */
  readonly listen: readonly ListenAddress[];
  /** For UDP. */
  readonly udpListen: readonly ListenAddress[];
  readonly dbPath: string;
  readonly dbReloadSecs: number;
  /** This POP's region. */
  readonly region: string;
  /** null = the embedded database. */
  readonly geoipPath: string | null;
  readonly bindingTtlSecs: number;
  readonly bindingGcIntervalSecs: number;
  /** Most bindings kept; rounded up to a power of two. */
  readonly maxBindings: number;
  /** Slots of the routing table. */
  readonly maxBackends: number;
  readonly workers: number;
  readonly accept: AcceptMode;
  readonly pin: Pin;
  /** Per worker. */
  readonly maxConnections: number;
  readonly listenBacklog: number;
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  /** All tries together; 0 = off. */
  readonly connectTotalTimeoutMs: number;
  readonly idleTimeoutSecs: number;
  /** Of UDP sessions. */
  readonly udpIdleTimeoutSecs: number;
  readonly halfCloseTimeoutSecs: number;
  readonly maxLifetimeSecs: number;
  readonly shutdownTimeoutSecs: number;
  readonly isSpliceEnabled: boolean;
  /** Copied at a time. */
  readonly bufferBytes: number;
  /** Per worker. */
  readonly maxPipes: number;

  readonly isCircuitBreakerEnabled: boolean;
  readonly circuitFailureThreshold: number;
  readonly circuitSuccessThreshold: number;
  readonly circuitTimeoutSecs: number;
  readonly circuitTrials: number;
  readonly circuitMaxEjectedPercent: number;
  readonly panicThresholdPercent: number;
  readonly slowStartSecs: number;
  readonly drainTimeoutSecs: number;

  readonly isHealthCheckEnabled: boolean;
  readonly healthCheckIntervalSecs: number;
  readonly healthCheckTimeoutSecs: number;
  /** All together; 0 as 1. */
  readonly healthCheckAttempts: number;
  readonly healthCheckType: CheckType;
  readonly healthCheckPath: string;
  readonly healthCheckStatus: readonly StatusRange[];
  /** Each character is a byte. */
  readonly healthCheckSend: string;
  readonly healthCheckExpect: string;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  readonly doesHealthCloseConnections: boolean;

  /** 0 = off, here and in the next two. */
  readonly maxConnectionsPerIp: number;
  readonly maxConnectionsTotal: number;
  readonly maxConnectionsPerListener: number;
  readonly isRateLimitEnabled: boolean;
  readonly rateLimitMaxRequests: number;
  readonly rateLimitWindowSecs: number;
  readonly rateLimitBurst: number;
  readonly maxTrackedClients: number;
  /** Canonical CIDR notation. */
  readonly allowCidrs: readonly string[];
  readonly denyCidrs: readonly string[];
  /** ISO 3166-1 alpha-2, upper case. */
  readonly allowCountries: readonly string[];
  readonly denyCountries: readonly string[];

  readonly isPoolEnabled: boolean;
  readonly poolMaxPerBackend: number;
  readonly poolIdleTimeoutSecs: number;
  readonly poolMaxLifetimeSecs: number;
  readonly poolConnectTimeoutSecs: number;

  readonly isConfigWatchEnabled: boolean;
  readonly configWatchIntervalSecs: number;
  readonly upgradeTimeoutSecs: number;
  /** null = none. */
  readonly pidFile: string | null;
  /** 0 = off, here and in the next three. */
  readonly overloadLagMs: number;
  readonly overloadMemoryMb: number;
  readonly overloadDescriptorsPercent: number;
  readonly watchdogSecs: number;

  /** null = no Redis. */
  readonly redisUrl: string | null;
  readonly redisPassword: string | null;
  readonly redisDb: number | null;
  readonly redisPoolSize: number;
  readonly redisConnectTimeoutSecs: number;
  readonly redisCommandTimeoutSecs: number;

  readonly isMetricsEnabled: boolean;
  readonly metricsListen: ListenAddress;
  readonly metricsPath: string;
  readonly metricsCollectSecs: number;

  readonly isApiEnabled: boolean;
  readonly apiListen: ListenAddress;
  /** null = none. */
  readonly apiToken: string | null;
  /** Requests per second and address; 0 = off. */
  readonly apiRateLimit: number;
  readonly heartbeatTtlSecs: number;

  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** null = standard output. */
  readonly logFile: string | null;
  readonly logMaxMegabytes: number;
  readonly logMaxFiles: number;

  /** `stdout`, `stderr` or a file; null = there is no access log. */
  readonly accessLog: string | null;
  readonly accessLogFormat: AccessLogFormat;
  readonly accessLogMaxMegabytes: number;
  readonly accessLogMaxFiles: number;
  readonly isDemo: boolean;

  /** Everything listened on: `listen` and what only the file can say. */
  readonly listeners: readonly ListenerConfig[];
  readonly rules: readonly RuleConfig[];
}
