/** Runs `action` once after `delayMs`; returns what calls it off. */
export function schedule(action: () => void, delayMs: number): () => void {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
}

/** The same for what the end of the process need not wait for. */
export function scheduleInBackground(action: () => void, delayMs: number): () => void {
  const timer = setTimeout(action, delayMs).unref();
  return () => clearTimeout(timer);
}
