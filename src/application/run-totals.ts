/** What happens in the primary and is counted since its start. */
export interface RunTotals {
  workerRestarts: number;
  /** Looks at the routing database: with a change, without one, and those that failed. */
  readonly routingReads: { changed: number; unchanged: number; failed: number };
}

export function newRunTotals(): RunTotals {
  return { workerRestarts: 0, routingReads: { changed: 0, unchanged: 0, failed: 0 } };
}

/** `read`, counted. */
export function counted<T>(totals: RunTotals, read: () => Promise<T | null>): () => Promise<T | null> {
  const { routingReads } = totals;
  return async () => {
    try {
      const state = await read();
      routingReads[state === null ? 'unchanged' : 'changed']++;
      return state;
    } catch (error) {
      routingReads.failed++;
      throw error;
    }
  };
}
