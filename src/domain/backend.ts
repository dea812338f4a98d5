/** One upstream server as the routing database describes it, already checked and with its defaults filled in. */
export interface Backend {
  readonly id: string;
  readonly app: string;
  /** Name of a region, for instance `sa`; may be one that no country belongs to. */
  readonly region: string;
  /** ISO 3166-1 alpha-2 in upper case, or '' where unknown. */
  readonly country: string;
  /** IPv4 or IPv6 literal. */
  readonly address: string;
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
}
