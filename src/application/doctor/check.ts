import type { Intentions, MachineFacts } from './machine-facts.js';

/** mend: something goes wrong under load. hint: worth a thought. */
export type FindingState = 'ok' | 'mend' | 'hint' | 'unknown';

export interface Verdict {
  readonly state: FindingState;
  readonly found: string;
  /** What to type, where there is something to do. */
  readonly command?: string;
  /** Where a sysctl does it. */
  readonly sysctl?: { readonly name: string; readonly value: string };
}

/** One line of the table in docs/tuning.md. */
export interface Check {
  readonly name: string;
  readonly source: string;
  readonly wanted: string;
  readonly why: string;
  readonly examine: (facts: MachineFacts, intentions: Intentions) => Verdict;
}

export interface Finding extends Verdict, Pick<Check, 'wanted' | 'why'> {
  readonly check: string;
}

export const UNKNOWN: Verdict = { state: 'unknown', found: 'not to be seen from here' };

export function examineAll(checks: readonly Check[], facts: MachineFacts, intentions: Intentions): readonly Finding[] {
  return checks.map(({ name, wanted, why, examine }) => ({ check: name, wanted, why, ...examine(facts, intentions) }));
}
