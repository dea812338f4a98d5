/**
 * What is done to the proxy and its backends, and when: a function of the seed alone, so a run can be repeated. What a
 * disturbance meets (which streams are under way) is the machine's doing and differs from run to run.
 */
import { Dice } from './dice.js';

export type DisturbanceKind =
  | 'kill worker'
  | 'stop worker'
  | 'kill backend'
  | 'stop backend'
  | 'reset storm'
  | 'edit routes'
  | 'reload'
  | 'upgrade'
  | 'flood'
  | 'configure'
  | 'misconfigure';

export type RouteEdit = 'drain' | 'disable' | 'remove' | 'weight' | 'restore';

export interface Disturbance {
  readonly atMs: number;
  readonly kind: DisturbanceKind;
  /** Which worker or backend, modulo their number. */
  readonly target: number;
  /** How long it stays stopped or away. */
  readonly forMs: number;
  readonly edit: RouteEdit;
  /** Weight to set, per cent to reset. */
  readonly amount: number;
}

export const WEIGHTS: Readonly<Record<DisturbanceKind, number>> = {
  'kill worker': 12,
  'stop worker': 8,
  'kill backend': 12,
  'stop backend': 10,
  'reset storm': 14,
  'edit routes': 28,
  reload: 10,
  upgrade: 5,
  flood: 8,
  configure: 8,
  misconfigure: 4,
};

/** Restored as often as taken away: most backends take clients most of the time. */
const EDITS: Readonly<Record<RouteEdit, number>> = { drain: 1, disable: 1, remove: 1, weight: 2, restore: 4 };
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 900;
const LEAST_AWAY_MS = 100;
const MOST_AWAY_MS = 2500;

export function scheduleOf(seed: string, lengthMs: number): Disturbance[] {
  const dice = new Dice(`${seed} schedule`);
  const schedule: Disturbance[] = [];
  for (let atMs = MOST_PAUSE_MS; atMs < lengthMs; atMs += dice.between(LEAST_PAUSE_MS, MOST_PAUSE_MS)) {
    schedule.push({
      atMs,
      kind: dice.pickWeighted(WEIGHTS),
      target: dice.below(1000),
      forMs: dice.between(LEAST_AWAY_MS, MOST_AWAY_MS),
      edit: dice.pickWeighted(EDITS),
      amount: dice.between(1, 60),
    });
  }
  return schedule;
}
