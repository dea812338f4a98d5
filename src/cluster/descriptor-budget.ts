/** Descriptors that a worker needs besides connections: libuv, the channel, the region, IPC, listeners, files being loaded. */
const RESERVED = 64;
const PER_CONNECTION = 2;
const PER_PIPE = 2;

/**
 * The same for the primary, which measured 29 at rest, with some left for what comes and goes: a fork, a database being
 * read, sockets on their way to a worker. Then both ends of each worker's channel, twice (the acceptor has its own), and
 * its IPC; and each listening socket, twice.
 */
const PRIMARY_RESERVED = 48;
const PRIMARY_PER_WORKER = 5;
const PRIMARY_PER_LISTENING_SOCKET = 2;

/** The RLIMIT_NOFILE without which the primary cannot start its workers. */
export function primaryDescriptors(workers: number, listeningSockets: number): number {
  return PRIMARY_RESERVED + workers * PRIMARY_PER_WORKER + listeningSockets * PRIMARY_PER_LISTENING_SOCKET;
}

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
