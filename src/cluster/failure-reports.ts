/** How long failures are gathered after one was told of. */
const WINDOW_MS = 10_000;

export interface MatcherFailure {
  readonly rule: string;
  readonly reason: string;
  /** Since the last report, of all rules. */
  readonly failures: number;
}

/** Tells of failures of custom rules: of the first at once, then at most once in a window, with how many there were. */
export class FailureReports {
  readonly #tell: (failure: MatcherFailure) => void;
  readonly #schedule: (action: () => void, delayMs: number) => () => void;
  #cancelWindow: (() => void) | null = null;
  #latest: MatcherFailure | null = null;

  constructor(tell: (failure: MatcherFailure) => void, schedule: (action: () => void, delayMs: number) => () => void) {
    this.#tell = tell;
    this.#schedule = schedule;
  }

  note({ rule, reason, failures }: MatcherFailure): void {
    if (this.#cancelWindow !== null) {
      this.#latest = { rule, reason, failures: failures + (this.#latest?.failures ?? 0) };
      return;
    }
    this.#cancelWindow = this.#schedule(() => this.#endWindow(), WINDOW_MS);
    this.#tell({ rule, reason, failures });
  }

  #endWindow(): void {
    this.#cancelWindow = null;
    const latest = this.#latest;
    this.#latest = null;
    if (latest !== null) this.note(latest);
  }
}
