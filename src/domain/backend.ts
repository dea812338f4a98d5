export type CheckType = 'tcp' | 'http';

/** What a row of the routing database says instead of a setting. */
export interface BackendOverrides {
  /** Where health checks go. */
  readonly healthPort?: number;
  readonly healthIntervalSecs?: number;
  readonly healthType?: CheckType;
  readonly healthPath?: string;
  readonly drainTimeoutSecs?: number;
}

/** One upstream server as the routing database describes it, already checked and with its defaults filled in. */
export interface Backend {
  readonly id: string;
  readonly app: string;
  /** Name of a region, for instance `sa`; may be one that no country belongs to. */
  readonly region: string;
  /** ISO 3166-1 alpha-2 in upper case, or '' where unknown. */
  readonly country: string;
  /** IPv4 or IPv6 literal, or `unix:` and the path of a socket. */
  readonly address: string;
  /** 0 of a Unix socket. */
  readonly port: number;
  readonly isHealthy: boolean;
  /** No new clients, not even bound ones; established connections stay. */
  readonly isDraining: boolean;
  /** 0 = no new clients. */
  readonly weight: number;
  /** At least 1. */
  readonly softLimit: number;
  /** 0 = unlimited. */
  readonly hardLimit: number;
  /** Only where it is so: it would be healthy, but its last heartbeat is too old. */
  readonly isSilent?: true;
  /** Only where it is so: health checks leave it alone. */
  readonly isUnchecked?: true;
  /** Only where there is one. */
  readonly overrides?: BackendOverrides;
}
