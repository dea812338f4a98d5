import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 5;
/** Generous: the machine may be busy with something else entirely. */
export const DEADLINE_MS = 60_000;

/**
 * Waits until `probe` returns something other than undefined or false, for what has no event to wait for: words of shared
 * memory, numbers in /proc. Rejects at the deadline with `what` and, if given, what `state` says then.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { deadlineMs = DEADLINE_MS, state }: { readonly deadlineMs?: number; readonly state?: () => unknown } = {},
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const result = await probe();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > endMs) {
      const detail = state === undefined ? '' : `: ${JSON.stringify(state())}`;
      throw new Error(`not within ${deadlineMs} ms: ${what}${detail}`);
    }
    await delay(POLL_MS);
  }
}

/** `promise`, or a rejection that names it at the deadline. */
export async function within<T>(what: string, promise: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
