/** Descriptors that a worker needs besides connections: libuv, the channel, the region, IPC, listeners, files being loaded. */
const RESERVED = 64;
const PER_CONNECTION = 2;
const PER_PIPE = 2;

export interface DescriptorBudget {
  /** Connections that a worker may hold; 0 where the limit leaves no room for a single one. */
  readonly maxConnections: number;
  readonly maxPipes: number;
  /** Whether the limit of the system allows less than was asked for. */
  readonly isReduced: boolean;
}

/**
 * Fits connections and pipes into RLIMIT_NOFILE, so that a worker meets its own limit (back-pressure at the listener)
 * before the system's (EMFILE, and clients lost on their way through the channel). Pipes yield first, down to a quarter
 * of the room: without a pipe bytes are copied, without a descriptor a client is refused.
 */
export function fitDescriptors(limit: number, maxConnections: number, maxPipes: number): DescriptorBudget {
  const room = Math.max(0, limit - RESERVED);
  const wantedForClients = maxConnections * PER_CONNECTION;
  const leftForPipes = Math.max(room - wantedForClients, Math.floor(room / 4));
  const pipes = Math.min(maxPipes, Math.floor(leftForPipes / PER_PIPE));
  const connections = Math.min(maxConnections, Math.floor((room - pipes * PER_PIPE) / PER_CONNECTION));
  return { maxConnections: connections, maxPipes: pipes, isReduced: connections < maxConnections || pipes < maxPipes };
}
