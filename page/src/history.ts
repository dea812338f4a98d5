/** What was a rate when: differences of counters, kept for as long as the plots are wide. */
import type { Counts, Stats } from './api-types.js';

export interface Rates {
  readonly atMs: number;
  readonly connectionsPerSec: number;
  readonly rejectedPerSec: number;
  readonly sentPerSec: number;
  readonly receivedPerSec: number;
  readonly active: number;
}

export const HISTORY_MS = 300_000;

interface Counted {
  readonly atMs: number;
  readonly stats: Stats;
}

export class History {
  readonly #rates: Rates[] = [];
  #last: Counted | null = null;

  get rates(): readonly Rates[] {
    return this.#rates;
  }

  get latest(): Rates | undefined {
    return this.#rates.at(-1);
  }

  /** Another process, or counters that went back, begin anew: there is no rate between the two. */
  add(stats: Stats, atMs: number): void {
    const last = this.#last;
    this.#last = { atMs, stats };
    if (last === null || atMs <= last.atMs || !continues(last.stats, stats)) return;
    const seconds = (atMs - last.atMs) / 1000;
    const per = (count: (stats: Stats) => number): number => (count(stats) - count(last.stats)) / seconds;
    this.#rates.push({
      atMs,
      connectionsPerSec: per(({ connections }) => connections.total),
      rejectedPerSec: per(({ connections }) => sum(connections.rejected)),
      sentPerSec: per(({ bytes }) => bytes.sent),
      receivedPerSec: per(({ bytes }) => bytes.received),
      active: stats.connections.active,
    });
    while ((this.#rates[0]?.atMs ?? atMs) < atMs - HISTORY_MS) this.#rates.shift();
  }
}

function continues(before: Stats, now: Stats): boolean {
  return now.uptime_secs >= before.uptime_secs && now.connections.total >= before.connections.total;
}

export function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
