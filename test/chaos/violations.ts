/** What must not happen, as it is found; bounded, for one fault may break every stream. */
export interface Violation {
  /** 0 where it is nobody's in particular. */
  readonly stream: number;
  readonly what: string;
}

const MOST_KEPT = 50;

export class Violations {
  readonly found: Violation[] = [];
  count = 0;

  add(stream: number, what: string): void {
    this.count++;
    if (this.found.length < MOST_KEPT) this.found.push({ stream, what });
  }
}
