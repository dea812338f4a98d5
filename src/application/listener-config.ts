export interface ListenAddress {
  /** IPv4 or IPv6 literal without brackets. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

export type ListenerProtocol = 'tcp' | 'udp';

/** The same address may be there once for each protocol; without one, as older versions say it, it is TCP's. */
export interface WantedAddress extends ListenAddress {
  readonly protocol?: ListenerProtocol;
}

/** One address that clients come to, with everything that may differ from the others: complete, no value left to look up. */
export interface ListenerConfig {
  /** Unique; of an address that was given without one it is the protocol and the address as they are written. */
  readonly name: string;
  readonly protocol: ListenerProtocol;
  readonly address: ListenAddress;
  readonly limits: ListenerLimits;
}

/** A listener as it is known outside, with the port that it has. */
export interface BoundListener extends ListenAddress {
  readonly name: string;
  readonly protocol: ListenerProtocol;
}

/** 0 = off. */
export interface ListenerLimits {
  /** Over all workers; of UDP the sessions. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly connectTotalTimeoutMs: number;
  readonly idleTimeoutSecs: number;
  readonly halfCloseTimeoutSecs: number;
  readonly maxLifetimeSecs: number;
  /** How long a ClientHello may take to arrive, where a rule asks for the name in it. */
  readonly helloTimeoutMs: number;
  /** UDP: of one client address, each worker. */
  readonly maxSessionsPerClient: number;
}
