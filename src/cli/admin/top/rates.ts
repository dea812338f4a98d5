/** How fast counters rise between two looks at them. */
import type { BackendRow, ConnectionList, ConnectionRow, Overview } from '../answers.js';
import { sumOf } from '../status-text.js';

/** One look; `connections` are asked for only where they are shown. */
export interface Snapshot extends Overview {
  readonly timeMs: number;
  readonly connections: ConnectionList | null;
}

/** Of a counter, per second. */
export type Rate = (now: number, before: number | undefined) => number;

export interface RatedBackend extends BackendRow {
  readonly connectsPerSec: number;
  readonly errorsPerSec: number;
}

export interface RatedConnection extends ConnectionRow {
  readonly sentPerSec: number;
  readonly receivedPerSec: number;
}

/** One that has begun anew, or was not there before, has a rate of 0: what it counts is older. */
export function rateBetween(before: Snapshot | null, now: Snapshot): Rate {
  const secs = before === null ? 0 : (now.timeMs - before.timeMs) / 1000;
  return (count, earlier) => (secs <= 0 || earlier === undefined || count < earlier ? 0 : (count - earlier) / secs);
}

export function ratedBackends(before: Snapshot | null, now: Snapshot): RatedBackend[] {
  const rate = rateBetween(before, now);
  const earlier = new Map(before?.backends.backends.map((row) => [row.id, row]));
  return now.backends.backends.map((row) => {
    const old = earlier.get(row.id);
    return {
      ...row,
      connectsPerSec: rate(row.connections_total, old?.connections_total),
      errorsPerSec: rate(sumOf(row.errors), old && sumOf(old.errors)),
    };
  });
}

export function ratedConnections(before: Snapshot | null, now: Snapshot): RatedConnection[] {
  const rate = rateBetween(before, now);
  const earlier = new Map(before?.connections?.connections.map((row) => [row.id, row]));
  return (now.connections?.connections ?? []).map((row) => {
    const old = earlier.get(row.id);
    return {
      ...row,
      sentPerSec: rate(row.bytes_sent, old?.bytes_sent),
      receivedPerSec: rate(row.bytes_received, old?.bytes_received),
    };
  });
}
