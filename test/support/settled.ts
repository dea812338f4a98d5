import { setTimeout as delay } from 'node:timers/promises';
import { DEADLINE_MS } from './eventually.js';

const LOOK_MS = 20;
/** Looks in a row that must agree: a busy machine may pause everyone for a while. */
const LOOKS = 15;

/** Waits until a number stops changing, as a byte counter does when the reader has stalled; resolves with it. */
export async function settled(what: string, look: () => number, deadlineMs = DEADLINE_MS): Promise<number> {
  const endMs = performance.now() + deadlineMs;
  let last = look();
  for (let same = 0; same < LOOKS;) {
    if (performance.now() > endMs) throw new Error(`still changing after ${deadlineMs} ms: ${what} (${last})`);
    await delay(LOOK_MS);
    const now = look();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}
