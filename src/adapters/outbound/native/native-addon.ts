/**
 * The addon's interface as TypeScript sees it. JavaScript validates, C++ does only what needs the handle.
 *
 * Every call that fails in the system throws a NativeError; nothing here blocks.
 */
import { createRequire } from 'node:module';

export interface NativeError extends Error {
  /** `EP_SYSCALL`. */
  readonly code: string;
  /** For instance `EADDRINUSE`. */
  readonly errnoCode: string;
  readonly errno: number;
  /** For instance `bind`. */
  readonly syscall: string;
}

/** What a region sent through a channel is; `argument` of the message. */
export const NATIVE_REGION_KIND = { GEO: 1, ACCESS: 2, RULES: 3, ACCESS_LOG: 4 } as const;

export interface NativeRegion {
  /** The memfd; the caller closes it with closeFd. */
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
}

export interface NativeFileLimit {
  readonly soft: number;
  readonly hard: number;
}

/** A socket that this process was started with. */
export interface NativeHandedSocket {
  readonly family: 'ipv4' | 'ipv6' | 'unix' | 'other';
  readonly type: 'stream' | 'datagram' | 'other';
  /** False of datagrams, and of a connection. */
  readonly isListening: boolean;
  /** The literal; empty where the family has none. */
  readonly address: string;
  readonly port: number;
}

export interface NativeBindOptions {
  /** IPv4 or IPv6 literal; `::` takes both families. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly isReusePort: boolean;
  /** Takes datagrams from here on, without listen(). */
  readonly isUdp?: boolean;
}

/** What of a RateRule (see domain/admission) it takes to see that a client is over its rate. */
export interface NativeRateRule {
  readonly tickMicros: number;
  readonly slackTicks: number;
  readonly fingerprint: number;
}

/** For whom a thread accepts itself. */
export interface NativeEntryLimits {
  /** Who is over it by the region's rates is reset right after accept4; who is not has still to pay. null = off. */
  readonly rateRule: NativeRateRule | null;
  /** Most connections of all workers together: those beyond it wait in the queue of their listener; 0 = off. */
  readonly maxConnectionsTotal: number;
  /**
   * MAX_LISTENERS × LISTENER_WORDS, by listener id; see LISTENER in domain/shared/batch-layout.ts. The acceptor takes nothing
   * from it but the most connections of each.
   */
  readonly listeners: readonly number[];
}

export interface NativeAcceptorOptions {
  readonly region: SharedArrayBuffer;
  readonly layoutHash: number;
  /** At this many connections a worker gets no more; when all have them, the listeners rest (back-pressure). */
  readonly maxConnectionsPerWorker: number;
  /** Under load: how long to let connections gather before they are handed on. Idle, nothing waits. */
  readonly coalesceMicros: number;
}

/** Totals since the start. */
export interface NativeAcceptorStats {
  readonly accepted: number;
  readonly handed: number;
  /** Reset because they were over their rate; not among the accepted. */
  readonly refused: number;
  /** Taken back from dead and stalled workers, and lost there because this process had no descriptor left for them. */
  readonly recovered: number;
  readonly lost: number;
  /** How often accepting paused because descriptors or memory ran out, and because no live worker had room. */
  readonly pausedForDescriptors: number;
  readonly rested: number;
  /** Listeners given up because nothing can be accepted from them. */
  readonly brokenListeners: number;
}

/**
 * A thread of the primary that owns listening sockets: accept4 in batches, each socket to the live worker with the
 * fewest connections. Descriptors given to it are duplicated; the caller keeps its own.
 */
export interface NativeAcceptor {
  addListener(listenerId: number, fd: number): void;
  /** Stops accepting from that socket; what waits in its queue stays there. `fd` is the one given to addListener. */
  removeListener(fd: number): void;
  /** Accepts from that socket until its queue is empty, then forgets it; resolves when that is so. */
  retireListener(fd: number): Promise<void>;
  /** Takes other limits into force, for what is accepted from now on; before, only the one per worker is. */
  configure(limits: NativeEntryLimits & Pick<NativeAcceptorOptions, 'maxConnectionsPerWorker'>): void;
  /** Whom it refuses itself is told of in the last ring of that region, see domain/access-log/access-layout.ts. Once. */
  useAccessLog(region: SharedArrayBuffer): void;
  /** Both ends of the worker's channel: what the worker never read is taken back from `workerEnd` when it dies. */
  workerUp(index: number, primaryEnd: number, workerEnd: number): void;
  /** Takes back what the dead worker had not read and hands it to the others; resets its ACTIVE. Resolves when done. */
  workerDown(index: number): Promise<void>;
  /**
   * For one that lives and does not read: it gets no clients until workerResumed, and those that it had not read go to the
   * others. Resolves when its channel has all its other messages back; who sends to it must wait for that. With false where
   * they are lost, as for want of descriptors: such a worker gets nothing any more and must be replaced.
   */
  workerStalled(index: number): Promise<boolean>;
  workerResumed(index: number): void;
  /** Empties the queue of each listener a last time, hands that on, closes the listeners. */
  stop(): Promise<void>;
  /** Also after close. */
  stats(): NativeAcceptorStats;
  /** Ends and joins the thread once it has done what it was asked; idempotent. Afterwards all else is ESHUTDOWN. */
  close(): void;
}

/** What of a relay can change while it runs; see configure(). */
export interface NativeRelayLimits extends NativeEntryLimits {
  readonly maxConnections: number;
  /** Of those: the rest is for TCP, whatever a flood of datagrams with forged sources does. */
  readonly maxUdpSessions: number;
  /** Tries after the first, each on another backend; at most MAX_TRIES - 1. */
  readonly connectRetries: number;
  readonly isSpliceEnabled: boolean;
  /** Copied at a time; at least 1024. */
  readonly bufferBytes: number;
  /** Most pipes this worker may hold, used and pooled; of the constructor's options only. */
  readonly maxPipes: number;
  /** Connections opened ahead for each backend, over all workers; 0 = none. */
  readonly poolMaxPerBackend: number;
  /** And of this worker, to all backends. */
  readonly poolMaxConnections: number;
  readonly poolIdleTimeoutMs: number;
  readonly poolMaxLifetimeMs: number;
  readonly poolConnectTimeoutMs: number;
}

export interface NativeRelayOptions extends NativeRelayLimits {
  readonly region: SharedArrayBuffer;
  readonly layoutHash: number;
  readonly workerIndex: number;
  /** The worker's end of its channel; the relay owns it from here on. */
  readonly channelFd: number;
  /** BATCH_CAPACITY × REQUEST_WORDS and × RESPONSE_WORDS, see domain/shared/layout.ts. */
  readonly requests: Int32Array;
  readonly responses: Int32Array;
  /** BATCH_CAPACITY × NAME_BYTES, what the requests' lengths tell of. */
  readonly names: Uint8Array;
  /** CLOCK_WORDS, written before each onBatch. */
  readonly clock: Int32Array;
  /** `count` requests wait in `requests`; on return `responses` holds as many answers. Must not throw. */
  readonly onBatch: (count: number) => void;
  /** A region arrived through the channel. */
  readonly onRegion: (kind: number, buffer: SharedArrayBuffer) => void;
}

export interface NativeConnectionPage {
  readonly count: number;
  /** -1 behind the last. */
  readonly next: number;
}

/** One worker's relay; lives on the worker's loop and keeps it alive until closed. */
export interface NativeRelay {
  /** Takes other limits into force, for what comes and for what is there. */
  configure(limits: NativeRelayLimits): void;
  /**
   * Resets the connections at that slot; a client that is still being connected to it gets another backend. `reason` is an
   * index into END_REASONS.
   */
  closeBackend(slot: number, reason: number): void;
  /**
   * Writes those connections that FILTER wants into `records` (MOST_LISTED × RECORD_NUMBERS) and their names into `names`
   * (MOST_LISTED × RECORD_NAME_BYTES), at most `most`, from the position `from` on: 0, then `next`. It looks at no more than
   * a turn of the loop allows, so a page may have less. What comes or goes between two pages may be missed.
   */
  listConnections(
    filter: Float64Array,
    from: number,
    most: number,
    records: Float64Array,
    names: Uint8Array,
  ): NativeConnectionPage;
  /** Resets those that FILTER wants, in the same way; some tens in a turn. */
  killConnections(filter: Float64Array, from: number, most: number): NativeConnectionPage;
  /** Resets one; false where it has ended. `isUdp` is 0 or 1, as RECORD has it. */
  killConnection(isUdp: number, index: number, generation: number): boolean;
  /** UDP: another process reads the datagrams of that listener from here on; sessions go on as long as there are replies. */
  leaveListener(listenerId: number): void;
  /** Connections that begin from here on are told of in this worker's ring of that region. */
  useAccessLog(region: SharedArrayBuffer): void;
  /** No more accepting (reuseport); what is established goes on. */
  drain(): void;
  /** Connections open or connecting. */
  connectionCount(): number;
  /** Resets every connection, closes everything; idempotent. */
  close(): void;
}

export interface NativeAddon {
  /** A sealed memfd of that size, zeroed, mapped. */
  createRegion(name: string, bytes: number): NativeRegion;
  /** Maps a whole memfd; the descriptor stays the caller's. */
  mapRegion(fd: number): SharedArrayBuffer;
  closeFd(fd: number): void;
  /** Until the descriptor is closed no other one that was opened for the same file gets its lock; false where one has it. */
  tryLockFile(fd: number): boolean;
  /** Unmaps the regions whose buffers nobody holds any more; a full garbage collection, some milliseconds. */
  releaseUnusedRegions(): void;
  /** Raises RLIMIT_NOFILE to its hard limit. */
  raiseFileLimit(): NativeFileLimit;
  /** RLIMIT_NOFILE as it is now; opens no file. */
  fileLimit(): NativeFileLimit;
  /** This process gets SIGKILL when its parent dies; throws where the parent is no longer `parentPid`. */
  dieWithParent(parentPid: number): void;
  /** A socket with that address, to which no client comes before listen(). */
  bind(options: NativeBindOptions): { readonly fd: number; readonly port: number };
  listen(fd: number, backlog: number): void;
  /**
   * The kernel drops every SYN for this listening socket from here on, in whatever process it is open: nobody begins to
   * connect, and who has begun still gets into its queue.
   */
  refuseNewClients(listenerFd: number): void;
  /** Makes an inherited listening socket this process's own, with this backlog; `isReusePort` lets others be opened beside it. */
  adoptListener(fd: number, backlog: number, isReusePort: boolean): void;
  /** The same of an inherited UDP socket. */
  adoptUdp(fd: number): void;
  /** No child of this process inherits that descriptor. */
  setCloseOnExec(fd: number): void;
  /** A datagram to the Unix socket of that name, a path or @abstract; EAGAIN where its queue is full. */
  sendNotification(name: string, text: string): void;
  /** EBADF or ENOTSOCK where that descriptor is no socket. */
  describeSocket(fd: number): NativeHandedSocket;
  /** On which this thread may run, ascending. */
  allowedCpus(): number[];
  /** This thread runs there alone from here on. */
  pinToCpu(cpu: number): void;
  /** [primary's end, worker's end]. */
  createChannel(): [number, number];
  sendRegion(channelFd: number, kind: number, regionFd: number): void;
  sendListener(channelFd: number, listenerId: number, listenerFd: number): void;
  sendCloseListener(channelFd: number, listenerId: number): void;
  readonly Acceptor: new (options: NativeAcceptorOptions) => NativeAcceptor;
  readonly Relay: new (options: NativeRelayOptions) => NativeRelay;
}

/** build/ lies at the package root, four folders above both src/adapters/outbound/native and dist/adapters/outbound/native. */
const ADDON_PATH = '../../../../build/Release/edgeproxy.node';

export function loadNativeAddon(): NativeAddon {
  return createRequire(import.meta.url)(ADDON_PATH) as NativeAddon;
}
