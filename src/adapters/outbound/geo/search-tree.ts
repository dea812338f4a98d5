import type { MmdbDatabase } from './mmdb-metadata.js';

/** Bit 0 or 1 of an address: which of a node's two records it selects. */
export type Side = 0 | 1;

/** The binary search tree at the start of the file. A record below nodeCount is a node, nodeCount is "no data". */
export class SearchTree {
  readonly #bytes: Buffer;
  readonly #recordBits: MmdbDatabase['recordBits'];
  readonly #nodeBytes: number;

  /** The caller has checked that all nodes lie in the file. */
  constructor(bytes: Buffer, recordBits: MmdbDatabase['recordBits']) {
    this.#bytes = bytes;
    this.#recordBits = recordBits;
    this.#nodeBytes = recordBits / 4;
  }

  record(node: number, side: Side): number {
    const at = node * this.#nodeBytes;
    switch (this.#recordBits) {
      case 24:
        return this.#bytes.readUIntBE(at + 3 * side, 3);
      case 28: {
        // The middle byte holds the four high bits of both records, the left one's first.
        const middle = this.#bytes.readUInt8(at + 3);
        const high = side === 0 ? middle >> 4 : middle & 15;
        return high * 2 ** 24 + this.#bytes.readUIntBE(at + 4 * side, 3);
      }
      case 32:
        return this.#bytes.readUInt32BE(at + 4 * side);
    }
  }
}
