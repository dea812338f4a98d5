/**
 * Who a shared table knows: a client, or a listener and a client, the client being its IPv4 address or the /64 of its
 * IPv6 address (a host has a whole /64 to itself and changes its address within it).
 *
 * The hash is keyed with the region's seeds, so that nobody outside can choose clients that fall into one set and evict
 * each other: a block cipher's construction (Even and Mansour) over the eight add-rotate-xor rounds of Chaskey (Mouha et
 * al., "Chaskey: an efficient MAC algorithm for 32-bit microcontrollers", 2014). A key is exactly one block of it.
 */
import type { Seeds } from './control-region.js';

const ROUNDS = 8;
const IPV4_PREFIX = 0xffff;
/** Last word of the block: keeps an IPv4 address and a /64 with the same words apart. */
const FAMILY = { IPV4: 4, IPV6: 6 } as const;
/** In place of a listener: the client wherever it connects. */
export const ANY_LISTENER = -1;

/** One key, set again for each request: its fields are small integers, so nothing is allocated. */
export class ClientKey {
  /** 32 bits that an entry's TAG must equal. */
  tag = 0;
  /** 16 more, kept beside the slot. */
  check = 0;
  /** 32 bits, of which the table's mask takes what it needs. */
  set = 0;
  readonly #k0: number;
  readonly #k1: number;
  readonly #k2: number;
  readonly #k3: number;

  constructor(seeds: Seeds) {
    this.#k0 = seeds[0] | 0;
    this.#k1 = seeds[1] | 0;
    this.#k2 = seeds[2] | 0;
    this.#k3 = seeds[3] | 0;
  }

  /** Takes an address as the batch holds it: IPv4 as ::ffff:a.b.c.d, words signed or not. */
  assign(listener: number, w0: number, w1: number, w2: number, w3: number): void {
    const isIpv4 = w0 === 0 && w1 === 0 && w2 === IPV4_PREFIX;
    let v0 = this.#k0 ^ listener;
    let v1 = this.#k1 ^ (isIpv4 ? w3 : w0);
    let v2 = this.#k2 ^ (isIpv4 ? 0 : w1);
    let v3 = this.#k3 ^ (isIpv4 ? FAMILY.IPV4 : FAMILY.IPV6);
    for (let round = 0; round < ROUNDS; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    this.tag = v0 ^ this.#k0;
    this.set = v1 ^ this.#k1;
    this.check = (v2 ^ this.#k2) >>> 16;
  }
}
