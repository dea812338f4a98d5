/** Thrown in place of the operation at which the process "died". */
class Crash extends Error {}

const WRITES = ['add', 'sub', 'store', 'compareExchange'] as const;
type Write = (typeof WRITES)[number];
type AnyWrite = (words: Int32Array, at: number, ...values: number[]) => number;

/**
 * Runs `action` as if its process were killed before the `steps`-th write to shared memory (0 = before the first): no
 * later one happens, as with SIGKILL. Returns false where the action was over before. Reads do not count: nobody sees them.
 */
export function crashBefore(steps: number, action: () => void): boolean {
  const originals = new Map<Write, unknown>(WRITES.map((name) => [name, Reflect.get(Atomics, name)]));
  let left = steps;
  for (const name of WRITES) {
    const original = originals.get(name) as AnyWrite;
    const counted: AnyWrite = (words, at, ...values) => {
      if (left-- === 0) throw new Crash();
      return original(words, at, ...values);
    };
    Object.assign(Atomics, { [name]: counted });
  }
  try {
    action();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  } finally {
    Object.assign(Atomics, Object.fromEntries(originals));
  }
}
