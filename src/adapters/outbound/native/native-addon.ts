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
export const NATIVE_REGION_KIND = { GEO: 1 } as const;

export interface NativeRegion {
  /** The memfd; the caller closes it with closeFd. */
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
}

export interface NativeListenOptions {
  /** IPv4 or IPv6 literal; `::` takes both families. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly backlog: number;
  readonly isReusePort: boolean;
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
  /** Taken back from dead workers, and lost there because this process had no descriptor left for them. */
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
  /** Both ends of the worker's channel: what the worker never read is taken back from `workerEnd` when it dies. */
  workerUp(index: number, primaryEnd: number, workerEnd: number): void;
  /** Takes back what the dead worker had not read and hands it to the others; resets its ACTIVE. Resolves when done. */
  workerDown(index: number): Promise<void>;
  /** Empties the queue of each listener a last time, hands that on, closes the listeners. */
  stop(): Promise<void>;
  /** Also after close. */
  stats(): NativeAcceptorStats;
  /** Ends and joins the thread once it has done what it was asked; idempotent. Afterwards all else is ESHUTDOWN. */
  close(): void;
}

export interface NativeRelayOptions {
  readonly region: SharedArrayBuffer;
  readonly layoutHash: number;
  readonly workerIndex: number;
  /** The worker's end of its channel; the relay owns it from here on. */
  readonly channelFd: number;
  /** BATCH_CAPACITY × REQUEST_WORDS and × RESPONSE_WORDS, see domain/shared/layout.ts. */
  readonly requests: Int32Array;
  readonly responses: Int32Array;
  /** Word 0: seconds of CLOCK_MONOTONIC, written before each onBatch. */
  readonly clock: Int32Array;
  readonly maxConnections: number;
  /** Tries after the first, each on another backend; at most MAX_TRIES - 1. */
  readonly connectRetries: number;
  /** Milliseconds; 0 turns idle, half-close and lifetime off. */
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly halfCloseTimeoutMs: number;
  readonly maxLifetimeMs: number;
  readonly isSpliceEnabled: boolean;
  /** Most pipes this worker may hold, used and pooled. */
  readonly maxPipes: number;
  /** `count` requests wait in `requests`; on return `responses` holds as many answers. Must not throw. */
  readonly onBatch: (count: number) => void;
  /** A region arrived through the channel. */
  readonly onRegion: (kind: number, buffer: SharedArrayBuffer) => void;
}

/** One worker's relay; lives on the worker's loop and keeps it alive until closed. */
export interface NativeRelay {
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
  /** Unmaps the regions whose buffers nobody holds any more; a full garbage collection, some milliseconds. */
  releaseUnusedRegions(): void;
  /** Raises RLIMIT_NOFILE to its hard limit. */
  raiseFileLimit(): { readonly soft: number; readonly hard: number };
  /** This process gets SIGKILL when its parent dies; throws where the parent is no longer `parentPid`. */
  dieWithParent(parentPid: number): void;
  listen(options: NativeListenOptions): { readonly fd: number; readonly port: number };
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
