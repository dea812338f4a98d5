/** Backends inside the test process: real listening sockets, of TCP or at a path, each connection a Peer. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { loadNativeAddon } from '../../src/adapters/outbound/native/native-addon.js';
import { DEADLINE_MS, within } from './eventually.js';
import { Peer } from './peer.js';
import type { Owner } from './scratch-directory.js';

/** What a backend does with a connection; a rejection ends that connection with a reset. */
export type Behaviour = (peer: Peer) => void | Promise<void>;

const native = loadNativeAddon();

export class TcpBackend {
  /** 0 of a Unix socket, whose address is `unix:/path`. */
  readonly port: number;
  readonly address: string;
  /** Every connection so far, in order of arrival. */
  readonly peers: Peer[] = [];
  readonly #server: Server;
  readonly #waiting: ((peer: Peer) => void)[] = [];
  #taken = 0;
  #holder: number | null = null;

  constructor(server: Server, behaviour: Behaviour) {
    const bound = server.address() as AddressInfo | string;
    this.port = typeof bound === 'string' ? 0 : bound.port;
    this.address = typeof bound === 'string' ? `unix:${bound}` : bound.address;
    this.#server = server;
    server.on('connection', (socket) => {
      const peer = new Peer(socket);
      this.peers.push(peer);
      if (this.#waiting.length > 0) {
        this.#taken++;
        this.#waiting.shift()?.(peer);
      }
      Promise.resolve(behaviour(peer)).catch(() => peer.reset());
    });
  }

  /** The next connection that nobody has taken this way yet, past or future. */
  nextPeer(deadlineMs = DEADLINE_MS): Promise<Peer> {
    const known = this.peers[this.#taken];
    if (known !== undefined) {
      this.#taken++;
      return Promise.resolve(known);
    }
    return within('the backend gets a connection', new Promise((resolve) => this.#waiting.push(resolve)), deadlineMs);
  }

  /** Connects are refused until somebody listens there anew; resolves when the socket is closed. Connections stay. */
  stopListening(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => undefined);
      // Bound without listening, so that the port is given to nobody who asks for any.
      if (this.port !== 0)
        this.#holder ??= native.bind({ address: this.address, port: this.port, isReusePort: false }).fd;
      // The listening socket is closed by the next turn; `close` events wait for connections.
      setImmediate(resolve);
    });
  }

  /** Closes everything; idempotent. */
  close(): void {
    this.#server.close(() => undefined);
    if (this.#holder !== null) native.closeFd(this.#holder);
    this.#holder = null;
    for (const { socket } of this.peers) socket.destroy();
  }
}

export interface BackendOptions {
  readonly host?: string;
  readonly port?: number;
  /** Of a Unix socket instead. */
  readonly path?: string;
  readonly backlog?: number;
}

/** Listens on a port of its own until the owner ends. Without a behaviour the test drives each peer. */
export async function startBackend(
  owner: Owner,
  behaviour: Behaviour = () => undefined,
  { host = '127.0.0.1', port = 0, path, backlog = 4096 }: BackendOptions = {},
): Promise<TcpBackend> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path === undefined ? { host, port, backlog } : { path, backlog }, resolve);
  });
  const backend = new TcpBackend(server, behaviour);
  owner.after(() => backend.close());
  return backend;
}
