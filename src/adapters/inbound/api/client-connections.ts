/** Who is connected to the API: no address may take the places of all others, for a backend that gets none goes silent. */
import type { Socket } from 'node:net';
import { MAX_API_CONNECTIONS_PER_ADDRESS } from './api-limits.js';

export class ClientConnections {
  readonly #open = new Set<Socket>();
  readonly #countByAddress = new Map<string, number>();

  get size(): number {
    return this.#open.size;
  }

  /** Ends the connection at once where its address has its share already. */
  add(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const count = this.#countByAddress.get(address) ?? 0;
    if (count >= MAX_API_CONNECTIONS_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    this.#countByAddress.set(address, count + 1);
    socket.once('close', () => this.#remove(socket, address));
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #remove(socket: Socket, address: string): void {
    this.#open.delete(socket);
    const count = (this.#countByAddress.get(address) ?? 1) - 1;
    if (count === 0) this.#countByAddress.delete(address);
    else this.#countByAddress.set(address, count);
  }
}
