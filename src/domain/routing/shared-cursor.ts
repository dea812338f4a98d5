/**
 * Where a router's sequence stands, over all workers: each place of it goes to one client of one worker.
 *
 *     place    0   1   2   3   4   5          the cursor is at 2, and b has no room:
 *     route    a   b   a   b   a   c          the client gets place 2, the next one place 4: b's turn is over
 *
 * The word holds the place itself and not a count of choices: it goes back to 0 at the end of the sequence, so no number
 * ever overflows in the middle of one. One exchange takes the place and every one without room before it. So the turns of what is
 * full go by as if it were not there, whereas giving them to whoever comes behind it would let that one take both loads.
 */
import type { RouterContext } from './router.js';

export class SharedCursor {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #pool: RouterContext['pool'];

  constructor({ words, cursorAt, pool }: Pick<RouterContext, 'words' | 'cursorAt' | 'pool'>) {
    this.#words = words;
    this.#at = cursorAt;
    this.#pool = pool;
  }

  /** Takes the next place of the first `length` of `routes` whose route has room; that route, or -1 where none has. */
  take(routes: Int32Array, length: number): number {
    if (length === 0) return -1;
    const words = this.#words;
    let seen = words[this.#at] ?? 0;
    for (;;) {
      // Of a pool that was longer, the cursor may be beyond the end of this one's sequence.
      const place = this.#placeWithRoom(routes, length, (seen >>> 0) % length);
      if (place < 0) return -1;
      // One worker alone succeeds on a value. Whoever fails has seen another's success, so somebody always gets on.
      const found = Atomics.compareExchange(words, this.#at, seen, place + 1 === length ? 0 : place + 1);
      if (found === seen) return routes[place] ?? -1;
      seen = found;
    }
  }

  #placeWithRoom(routes: Int32Array, length: number, start: number): number {
    if (this.#pool.hasRoom(routes[start] ?? -1)) return start;
    // A sequence may be much longer than the pool: not walked along in vain.
    if (!this.#hasAnyRoom()) return -1;
    for (let step = 1; step < length; step++) {
      const place = start + step < length ? start + step : start + step - length;
      if (this.#pool.hasRoom(routes[place] ?? -1)) return place;
    }
    return -1;
  }

  #hasAnyRoom(): boolean {
    const { routes, count } = this.#pool;
    for (let index = 0; index < count; index++) if (this.#pool.hasRoom(routes[index] ?? -1)) return true;
    return false;
  }
}
