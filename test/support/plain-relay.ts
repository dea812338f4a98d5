/** Options of a relay in a test's own process that only takes clients in: no backends, pool, pipes or limits. */
export const PLAIN_RELAY = {
  maxConnections: 100,
  maxUdpSessions: 100,
  connectRetries: 0,
  isSpliceEnabled: false,
  bufferBytes: 65_536,
  maxPipes: 0,
  poolMaxPerBackend: 0,
  poolMaxConnections: 0,
  poolIdleTimeoutMs: 1000,
  poolMaxLifetimeMs: 1000,
  poolConnectTimeoutMs: 1000,
  rateRule: null,
  maxConnectionsTotal: 0,
} as const;
