/**
 * The configuration of a running proxy: validated, complete and frozen; made once by the config adapter and handed
 * down. docs/configuration.md lists where each value comes from.
 */
export interface ListenAddress {
  /** IPv4 or IPv6 literal without brackets. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

export type AcceptMode = 'handoff' | 'reuseport';
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'pretty' | 'json';

export interface ProxyConfig {
  readonly listen: readonly ListenAddress[];
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
  /** Per worker. */
  readonly maxConnections: number;
  readonly listenBacklog: number;
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;
  readonly idleTimeoutSecs: number;
  readonly halfCloseTimeoutSecs: number;
  readonly maxLifetimeSecs: number;
  readonly shutdownTimeoutSecs: number;
  readonly isSpliceEnabled: boolean;
  /** Per worker. */
  readonly maxPipes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly isDemo: boolean;
}
