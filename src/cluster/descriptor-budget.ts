/** Descriptors that a worker needs besides connections: libuv, the channel, the region, IPC, listeners, files being loaded. */
const RESERVED = 64;
/** The client's and the backend's; a UDP session has the latter only. */
const PER_CONNECTION = 2;
const PER_SESSION = 1;
const PER_PIPE = 2;
/** One connection opened ahead for so many of clients, and of the room that is left where the limit is low. */
const CONNECTIONS_PER_WARM = 4;
const LEAST_WARM_SHARE = 1 / 16;

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

const MAX_PROBES = 1024;

/**
 * Health checks that may be under way at a time: half of what the limit leaves the primary beyond its needs, so that the
 * other half is there for sockets on their way to a worker. One at least: it comes out of the reserve.
 */
export function fitProbes(limit: number, needed: number): number {
  return Math.min(Math.max(Math.floor((limit - needed) / 2), 1), MAX_PROBES);
}

export interface DescriptorBudget {
  /** Connections that a worker may hold; 0 where the limit leaves no room for a single one. */
  readonly maxConnections: number;
  readonly maxPipes: number;
  /** Connections that it may open ahead, one descriptor each. */
  readonly maxWarmConnections: number;
  /** Whether the limit of the system allows less than was asked for. */
  readonly isReduced: boolean;
}

export interface DescriptorWishes {
  readonly maxConnections: number;
  readonly maxPipes: number;
  readonly isPoolEnabled: boolean;
  /** There are no TCP listeners: all clients are UDP sessions. */
  readonly isUdpOnly?: boolean;
}

/**
 * Fits connections and pipes into RLIMIT_NOFILE, so that a worker meets its own limit (back-pressure at the listener)
 * before the system's (EMFILE, and clients lost on their way through the channel). Connections opened ahead yield first,
 * down to a sixteenth of the room, then pipes, down to a quarter: without a warm connection a client waits for a connect,
 * without a pipe bytes are copied, without a descriptor a client is refused.
 */
export function fitDescriptors(limit: number, wishes: DescriptorWishes): DescriptorBudget {
  const { maxConnections, maxPipes, isPoolEnabled } = wishes;
  const perClient = wishes.isUdpOnly === true ? PER_SESSION : PER_CONNECTION;
  const whole = Math.max(0, limit - RESERVED);
  const wantedForClients = maxConnections * perClient;
  const wantedWarm = isPoolEnabled ? Math.ceil(maxConnections / CONNECTIONS_PER_WARM) : 0;
  const leftForWarm = whole - wantedForClients - maxPipes * PER_PIPE;
  const warm = Math.min(wantedWarm, Math.max(leftForWarm, Math.floor(whole * LEAST_WARM_SHARE)));
  const room = whole - warm;
  const leftForPipes = Math.max(room - wantedForClients, Math.floor(room / 4));
  const pipes = Math.min(maxPipes, Math.floor(leftForPipes / PER_PIPE));
  const connections = Math.min(maxConnections, Math.floor((room - pipes * PER_PIPE) / perClient));
  return {
    maxConnections: connections,
    maxPipes: pipes,
    maxWarmConnections: warm,
    isReduced: connections < maxConnections || pipes < maxPipes,
  };
}
