/**
 * A router chooses a backend of one rule's pool for one client. It is a pure function over the shared table: what it
 * depends on is in the pool, in the request, in shared memory and in the randomness that it is given; it reads no clock and
 * keeps nothing that another worker would have to know.
 *
 * docs/routers.md shows how to add one: a file with a RouterPlugin in routers/, and a line in routers/all.ts.
 */
import type { Pool } from './pool.js';
import type { Xorshift128 } from './xorshift128.js';

export interface Router {
  /**
   * The route for a client, or -1 where no route of the pool has room. `request` is its first word in the batch's requests.
   * Called for every new connection: allocates nothing, never throws.
   */
  choose(request: number): number;
}

/** What a router is made of: all of it outlives the router, and is filled anew in place. */
export interface RouterContext {
  /** The control region. */
  readonly words: Int32Array;
  /** Routes that may be chosen now. */
  readonly pool: Pool;
  /** Word of the rule's POOL.CURSOR in `words`: no other rule has it, also where several choose from one pool. */
  readonly cursorAt: number;
  /** See REQUEST. */
  readonly requests: Int32Array;
  /** See NAME_BYTES; those of the request at word w begin at w / REQUEST_WORDS × NAME_BYTES. */
  readonly names: Uint8Array;
  /** Country number of the client of a request, -1 = unknown. */
  readonly countryOf: (request: number) => number;
  /** The port that the client of a request has connected to. */
  readonly targetPort: (request: number) => number;
  /** Another sequence in every worker. */
  readonly random: Xorshift128;
}

export interface RouterPlugin<Options> {
  /** As written in `plugin = "…"`. */
  readonly name: string;
  /** Whether a client comes back to its backend (BINDING_TTL_SECS) unless the router's `affinity` says otherwise. */
  readonly hasAffinity: boolean;
  /** Checks `config = { … }` and fills in what is missing. Every key that is known is in `keys`, but for `affinity`. */
  readonly keys: readonly string[];
  readonly parse: (config: RouterSettings) => RouterOptions<Options>;
  /** Whether it looks at the client's ClientHello: then that is waited for. Absent of those that never do. */
  readsHello?(options: Options): boolean;
  /** Takes what parse() gave; a method, so that plug-ins of different options fit into one list. */
  create(context: RouterContext, options: Options): Router;
}

/** `config = { … }` as it is written. */
export type RouterSettings = Readonly<Record<string, unknown>>;

export type RouterOptions<Options> =
  | { readonly isValid: true; readonly options: Options }
  /** Of each: the key, what is wrong with it (`expected …`). */
  | { readonly isValid: false; readonly problems: readonly { readonly key: string; readonly expected: string }[] };
