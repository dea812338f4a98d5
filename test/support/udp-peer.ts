/** UDP sockets inside the test process: backends, clients, and who else may send something. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { DEADLINE_MS, within } from './eventually.js';
import type { Owner } from './scratch-directory.js';

export interface Datagram {
  readonly bytes: Buffer;
  readonly from: RemoteInfo;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** What a backend sends back to who sent it something. */
export type Answer = (datagram: Datagram) => Buffer | string;

export const echoed: Answer = ({ bytes }) => bytes;

export class UdpPeer {
  readonly socket: Socket;
  readonly address: string;
  readonly port: number;
  /** Everything that came, in order. */
  readonly datagrams: Datagram[] = [];
  readonly #waiting: ((datagram: Datagram) => void)[] = [];
  #taken = 0;

  constructor(socket: Socket, answer: Answer | null) {
    const { address, port } = socket.address();
    this.socket = socket;
    this.address = address;
    this.port = port;
    socket.on('message', (bytes, from) => {
      const datagram = { bytes, from };
      this.datagrams.push(datagram);
      if (answer !== null) this.send(answer(datagram), { address: from.address, port: from.port });
      if (this.#waiting.length > 0) {
        this.#taken++;
        this.#waiting.shift()?.(datagram);
      }
    });
    // Of a datagram that was sent to nobody.
    socket.on('error', () => undefined);
  }

  send(bytes: Buffer | string, to: Place): void {
    this.socket.send(bytes, to.port, to.address);
  }

  /** The next datagram that nobody has taken this way yet, past or future. */
  next(deadlineMs = DEADLINE_MS): Promise<Datagram> {
    const known = this.datagrams[this.#taken];
    if (known !== undefined) {
      this.#taken++;
      return Promise.resolve(known);
    }
    return within('a datagram comes', new Promise((resolve) => this.#waiting.push(resolve)), deadlineMs);
  }

  /** Sends it and takes what comes back. */
  async ask(text: string, to: Place): Promise<string> {
    this.send(text, to);
    return String((await this.next()).bytes);
  }

  /** Idempotent; whoever sends here from then on is told by ICMP. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      try {
        this.socket.close(resolve);
      } catch {
        resolve();
      }
    });
  }
}

export interface UdpPeerOptions {
  readonly address?: string;
  readonly port?: number;
  readonly answer?: Answer;
}

/** Bound until the owner ends. */
export async function udpPeer(
  owner: Owner,
  { address = '127.0.0.1', port = 0, answer }: UdpPeerOptions = {},
): Promise<UdpPeer> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
  socket.bind(port, address);
  await once(socket, 'listening');
  const peer = new UdpPeer(socket, answer ?? null);
  owner.after(() => peer.close());
  return peer;
}
