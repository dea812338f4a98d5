/**
 * What a client is known by to a router that sends the same one to the same backend: 64 bits of its address, a port, or the
 * name or session of its ClientHello.
 *
 * Keyed, so that with a key that nobody knows nobody can choose clients that meet at one backend (see ClientKey). An IPv6
 * client is its /64, as for affinity.
 */
import { ANY_LISTENER, ClientKey } from '../shared/client-key.js';
import type { Seeds } from '../shared/control-region.js';
import { NAME_BYTES, REQUEST, REQUEST_WORDS } from '../shared/batch-layout.js';
import { mixIn } from '../shared/text-hash.js';
import type { RouterContext } from './router.js';

export const HASH_KEYS = ['client_ip', 'client_port', 'target_port', 'sni', 'session_id'] as const;
export type HashKeyName = (typeof HASH_KEYS)[number];

/** In place of a listener: keeps a port and a session with the same number apart. */
const KIND = { CLIENT_PORT: -2, TARGET_PORT: -3, NAME: -4, SESSION: -5 } as const;

export class RequestHash {
  high = 0;
  low = 0;
  readonly #context: Pick<RouterContext, 'requests' | 'names' | 'targetPort'>;
  readonly #keyName: HashKeyName;
  readonly #key: ClientKey;

  constructor(context: Pick<RouterContext, 'requests' | 'names' | 'targetPort'>, keyName: HashKeyName, seeds: Seeds) {
    this.#context = context;
    this.#keyName = keyName;
    this.#key = new ClientKey(seeds);
  }

  /** Makes it that of a request, given by its first word; of the client's address where it has no name or no session. */
  take(request: number): void {
    const { requests, targetPort } = this.#context;
    const nameLength = requests[request + REQUEST.NAME_LENGTH] ?? 0;
    const session = requests[request + REQUEST.SESSION] ?? 0;
    if (this.#keyName === 'client_port') this.#takeWords(KIND.CLIENT_PORT, requests[request + REQUEST.PORT] ?? 0, 0);
    else if (this.#keyName === 'target_port') this.#takeWords(KIND.TARGET_PORT, targetPort(request), 0);
    else if (this.#keyName === 'sni' && nameLength > 0) this.#takeName(request, nameLength);
    else if (this.#keyName === 'session_id' && session !== 0) this.#takeWords(KIND.SESSION, session, 0);
    else this.#takeAddress(request + REQUEST.ADDRESS);
  }

  #takeAddress(at: number): void {
    const { requests } = this.#context;
    this.#key.assign(
      ANY_LISTENER,
      requests[at] ?? 0,
      requests[at + 1] ?? 0,
      requests[at + 2] ?? 0,
      requests[at + 3] ?? 0,
    );
    this.#take();
  }

  #takeName(request: number, length: number): void {
    const { names } = this.#context;
    const from = (request / REQUEST_WORDS) * NAME_BYTES;
    let one: number = KIND.NAME;
    let other: number = KIND.SESSION;
    for (let at = from; at < from + length; at++) {
      const byte = names[at] ?? 0;
      one = mixIn(one, byte);
      other = mixIn(other, byte ^ 0xff);
    }
    this.#takeWords(KIND.NAME, one, other);
  }

  #takeWords(kind: number, one: number, other: number): void {
    // As an IPv6 network, of which two words count.
    this.#key.assign(kind, one, other, 0, 0);
    this.#take();
  }

  #take(): void {
    this.high = this.#key.tag;
    this.low = this.#key.set;
  }
}
